internal import CLiteRT
internal import Dispatch
import MartletCore
import MartletTensors
internal import Synchronization

/// A TFLite model and its interpreters.
final class LiteRTServable: Servable {
    private struct Loaded {
        let planner: LiteRTPlanner
        var idle: [LiteRTInterpreter]
    }

    let id: ServableID
    let signatures: [String: Signature]
    let memoryBytes: Int

    private let calls: [String: LiteRTCall]
    private let available: DispatchSemaphore
    // `nil` once unloaded.
    private let loaded: Mutex<Loaded?>

    init(
        artifact: ModelArtifact, calls: [LiteRTCall], planner: LiteRTPlanner,
        interpreters: [LiteRTInterpreter], memoryBytes: Int
    ) {
        id = artifact.id
        self.memoryBytes = memoryBytes
        self.calls = Dictionary(
            calls.map { ($0.signature.name, $0) }, uniquingKeysWith: { first, _ in first })
        signatures = self.calls.mapValues(\.signature)
        available = DispatchSemaphore(value: 0)
        loaded = Mutex(Loaded(planner: planner, idle: interpreters))
        for _ in interpreters { available.signal() }
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        guard let call = calls[signature.name],
            let planner = loaded.withLock({ $0?.planner })
        else {
            throw ServingError(.internal, "Signature '\(signature.name)' is not of servable \(id)")
        }
        // LiteRT writes where a plan made for other shapes tells it to.
        if let fault = call.signature.shapeFault(in: inputs) {
            throw ServingError.invalidArgument(fault)
        }
        let tensors = inputs.map(\.tensor)
        guard tensors.count == call.signature.inputs.count else {
            throw ServingError(.internal, "\(tensors.count) inputs for '\(signature.name)'")
        }
        let places = try outputs.map(call.outputPlace)
        let results: [Tensor]
        if tensors.contains(where: { $0.shape.elementCount == 0 }) {
            results = try LiteRTEmptyBatch(call, planner).answer(tensors, outputs, places)
        } else {
            let plan = try planner.plan(call, try call.sizes(of: tensors))
            results = try withInterpreter {
                try $0.run(call, plan, inputs: tensors, places: places)
            }
        }
        return zip(outputs, results).map { NamedTensor(name: $0.name, tensor: $1) }
    }

    private func withInterpreter<Result>(
        _ body: (LiteRTInterpreter) throws -> Result
    ) throws -> Result {
        available.wait()
        defer { available.signal() }
        guard let interpreter = loaded.withLock({ $0?.idle.popLast() }) else {
            throw ServingError(.internal, "Servable \(id) is not loaded")
        }
        defer { loaded.withLock { $0?.idle.append(interpreter) } }
        return try body(interpreter)
    }

    func unload() {
        loaded.withLock { $0 = nil }
        ProcessHeap.releaseFreed()
    }
}

extension LiteRTCall {
    /// Sizes of a request's tensors in LiteRT's order.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) beyond LiteRT's bounds.
    func sizes(of tensors: [Tensor]) throws -> [[Int32]] {
        let maximum = MARTLET_LITERT_MAXIMUM_RANK
        return try inputs.map { input in
            let shape = tensors[input.place].shape
            guard shape.rank <= maximum else {
                throw ServingError.invalidArgument(
                    "Input tensor '\(input.name)' has \(shape.rank) dimensions; "
                        + "LiteRT's limit is \(maximum)")
            }
            return try shape.dimensions.map { size in
                guard let size = Int32(exactly: size) else {
                    throw ServingError.invalidArgument(
                        "Input tensor '\(input.name)' has the shape \(shape); "
                            + "LiteRT's limit for a dimension is \(Int32.max)")
                }
                return size
            }
        }
    }
}

/// The answer to a batch of no instances, which LiteRT itself cannot run.
struct LiteRTEmptyBatch {
    private let call: LiteRTCall
    private let planner: LiteRTPlanner

    init(_ call: LiteRTCall, _ planner: LiteRTPlanner) {
        self.call = call
        self.planner = planner
    }

    /// Outputs of no instances, in the shapes that one instance would give.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when an input is empty in another dimension
    ///   than its first, or an output is not a batch.
    func answer(
        _ tensors: [Tensor], _ outputs: [TensorSpec], _ places: [Int]
    ) throws -> [Tensor] {
        var sizes = try call.sizes(of: tensors)
        for (index, shape) in sizes.enumerated() where shape.first == 0 { sizes[index][0] = 1 }
        let isBatch = { (spec: TensorSpec) in (spec.shape.dimensions?.first ?? 0) < 0 }
        guard outputs.allSatisfy(isBatch), !sizes.contains(where: { $0.contains(0) }) else {
            throw ServingError.invalidArgument(
                "LiteRT cannot run signature '\(call.signature.name)' on tensors without elements")
        }
        let plan = try planner.plan(call, sizes)
        return try places.map { place in
            let sizes = plan.outputSizes[place]
            let shape = try Shape([0] + sizes.dropFirst().map(Int.init))
            let dtype = call.outputs[place].dtype
            return dtype == .string
                ? try Tensor(shape: shape, strings: [])
                : try Tensor(dtype: dtype, shape: shape, bytes: [])
        }
    }
}
