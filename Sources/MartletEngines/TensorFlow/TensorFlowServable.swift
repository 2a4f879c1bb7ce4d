internal import CTensorFlow
import MartletCore
import MartletTensors

/// A SavedModel in a TensorFlow session.
final class TensorFlowServable: Servable {
    let id: ServableID
    let signatures: [String: Signature]
    let memoryBytes: Int

    private let library: TensorFlowLibrary
    private let graph: TensorFlowGraph
    private let calls: [String: TensorFlowCall]
    // TF_SessionRun is thread-safe; unload() is called once, after the last run.
    nonisolated(unsafe) private let session: OpaquePointer
    nonisolated(unsafe) private let runOptions: UnsafeMutablePointer<TF_Buffer>?

    init(
        artifact: ModelArtifact, library: TensorFlowLibrary, graph: TensorFlowGraph,
        session: OpaquePointer, calls: [TensorFlowCall], memoryBytes: Int,
        runsInCallingThread: Bool
    ) {
        id = artifact.id
        self.library = library
        self.graph = graph
        self.session = session
        self.memoryBytes = memoryBytes
        self.calls = Dictionary(
            calls.map { ($0.signature.name, $0) }, uniquingKeysWith: { first, _ in first })
        signatures = self.calls.mapValues(\.signature)
        runOptions = runsInCallingThread ? library.makeCallingThreadOptions() : nil
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        let call = try call(signature)
        return try run(call, inputs: inputs, outputs: outputs, wanted: call.outputs(outputs))
    }

    func run(
        _ selections: [OutputSelection], inputs: [NamedTensor]
    ) throws -> [[NamedTensor]] {
        guard let first = selections.first else { return [] }
        let specs = selections.flatMap(\.outputs)
        let wanted = try selections.flatMap { try call($0.signature).outputs($0.outputs) }
        var outputs = try run(
            call(first.signature), inputs: inputs, outputs: specs, wanted: wanted)[...]
        return selections.map { selection in
            defer { outputs = outputs.dropFirst(selection.outputs.count) }
            return Array(outputs.prefix(selection.outputs.count))
        }
    }

    private func call(_ signature: Signature) throws -> TensorFlowCall {
        guard let call = calls[signature.name] else {
            throw ServingError(.internal, "Signature '\(signature.name)' is not of servable \(id)")
        }
        return call
    }

    private func run(
        _ call: TensorFlowCall, inputs: [NamedTensor], outputs: [TensorSpec], wanted: [TF_Output]
    ) throws -> [NamedTensor] {
        var inputPointers: [OpaquePointer?] = []
        defer { for pointer in inputPointers { pointer.map(library.delete) } }
        for input in inputs { inputPointers.append(try library.makeTensor(input.tensor)) }
        var outputPointers = [OpaquePointer?](repeating: nil, count: wanted.count)
        defer { for pointer in outputPointers { pointer.map(library.delete) } }
        try library.withStatus { status in
            library.api.SessionRun(
                session, runOptions, call.inputs, inputPointers, Int32(call.inputs.count),
                wanted, &outputPointers, Int32(wanted.count), nil, 0, nil, status)
        }
        return try zip(outputs, outputPointers).map { spec, pointer in
            guard let pointer else {
                throw ServingError(.internal, "TensorFlow returned no tensor for '\(spec.name)'")
            }
            return try NamedTensor(name: spec.name, tensor: library.readTensor(pointer))
        }
    }

    func unload() {
        library.close(session)
        if let runOptions { library.api.DeleteBuffer(runOptions) }
        ProcessHeap.releaseFreed()
    }
}
