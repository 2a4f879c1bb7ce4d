internal import COpenVINO
internal import Dispatch
import MartletCore
import MartletTensors
internal import Synchronization

/// A signature compiled for the processor, with its tensors resolved, so that a request looks
/// nothing up.
final class OpenVINOProgram: Sendable {
    /// An input or output of the compiled model.
    struct Port: Sendable {
        let spec: TensorSpec
        let element: Int32
        // The compiled model keeps what it points to; it never changes.
        nonisolated(unsafe) let pointer: OpaquePointer
    }

    private struct State {
        var isLoaded = true
        /// Requests that nobody runs now; the rest of those made are under way.
        var idle: [OpenVINORequest] = []
    }

    let signature: Signature
    let inputs: [Port]
    private let outputs: [String: Port]
    private let library: OpenVINOLibrary
    // Thread-safe; freed once, after the last run.
    nonisolated(unsafe) private let compiled: OpaquePointer
    private let available: DispatchSemaphore
    private let state = Mutex(State())

    /// Takes over a compiled model.
    ///
    /// - Parameters:
    ///   - library: compiled it.
    ///   - compiled: frees it, also when this throws.
    ///   - signature: what it computes.
    ///   - names: the compiled model's name for each tensor.
    /// - Throws: `ServingError` when the two do not fit each other.
    init(
        library: OpenVINOLibrary, compiled: OpaquePointer, signature: Signature,
        names: (TensorSpec) -> String
    ) throws {
        self.library = library
        self.compiled = compiled
        self.signature = signature
        var ports = PortList(library: library)
        do {
            let count: Int = try library.number("count the inputs") {
                library.api.compiled_model_inputs_size(compiled, $0)
            }
            // An input that the computation does not use may be gone.
            guard count <= signature.inputs.count else {
                throw ServingError(
                    .unimplemented,
                    "OpenVINO sees \(count) inputs where signature '\(signature.name)' has "
                        + "\(signature.inputs.count)")
            }
            for spec in signature.inputs {
                try ports.add(spec, library.api.compiled_model_input_by_name, compiled, names(spec))
            }
            inputs = ports.list
            for spec in signature.outputs {
                try ports.add(
                    spec, library.api.compiled_model_output_by_name, compiled, names(spec))
            }
            outputs = Dictionary(
                ports.list[inputs.count...].map { ($0.spec.name, $0) },
                uniquingKeysWith: { first, _ in first })
            available = DispatchSemaphore(
                value: OpenVINOProgram.bestConcurrency(library, compiled))
        } catch {
            ports.free()
            library.api.compiled_model_free(compiled)
            throw error
        }
    }

    deinit { unload() }

    /// Requests that make the most of the machine when they run at once; more only wait for one
    /// another.
    private static func bestConcurrency(
        _ library: OpenVINOLibrary, _ compiled: OpaquePointer
    ) -> Int {
        var value: UnsafeMutablePointer<CChar>?
        let status = library.api.compiled_model_get_property(
            compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &value)
        guard status == 0, let value else { return 1 }
        defer { library.api.free(value) }
        return max(1, Int(String(cString: value)) ?? 1)
    }

    func run(inputs tensors: [NamedTensor], outputs specs: [TensorSpec]) throws -> [NamedTensor] {
        let ports = try specs.map { spec in
            guard let port = outputs[spec.name] else {
                throw ServingError(.internal, "Output '\(spec.name)' is not of this signature")
            }
            return port
        }
        return try withRequest { request in
            try request.run(signature, inputs: inputs[...], tensors: tensors[...]) {
                try ports.map {
                    NamedTensor(name: $0.spec.name, tensor: try request.output($0))
                }
            }
        }
    }

    private func withRequest<Result>(
        _ body: (OpenVINORequest) throws -> Result
    ) throws -> Result {
        available.wait()
        defer { available.signal() }
        let request = try takeRequest()
        defer { state.withLock { $0.idle.append(request) } }
        return try body(request)
    }

    private func takeRequest() throws -> OpenVINORequest {
        let idle = try state.withLock { state in
            guard state.isLoaded else {
                throw ServingError(.internal, "Signature '\(signature.name)' is not loaded")
            }
            return state.idle.popLast()
        }
        return try idle ?? OpenVINORequest(library: library, compiled: compiled)
    }

    /// Frees all; the caller guarantees that no run is under way.
    func unload() {
        let wasLoaded = state.withLock { state in
            defer { state = State(isLoaded: false) }
            return state.isLoaded
        }
        guard wasLoaded else { return }
        for port in inputs + outputs.values { library.api.output_const_port_free(port.pointer) }
        library.api.compiled_model_free(compiled)
    }
}

/// Ports that are freed together when one of them is not there.
private struct PortList {
    typealias Lookup = (
        OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32

    let library: OpenVINOLibrary
    var list: [OpenVINOProgram.Port] = []

    mutating func add(
        _ spec: TensorSpec, _ lookup: Lookup, _ compiled: OpaquePointer, _ name: String
    ) throws {
        guard let element = OpenVINOElement.number(spec.dtype) else {
            throw ServingError(
                .unimplemented,
                "OpenVINO cannot serve tensor '\(spec.name)' of type \(spec.dtype.name)")
        }
        let pointer = try library.object(as: .invalidArgument, "find the tensor '\(name)'") {
            lookup(compiled, name, $0)
        }
        list.append(OpenVINOProgram.Port(spec: spec, element: element, pointer: pointer))
        let found: Int32 = try library.number("read the type of '\(name)'") {
            library.api.port_get_element_type(pointer, $0)
        }
        guard found == element else {
            let type = OpenVINOElement.dataType(found)?.name ?? "number \(found)"
            throw ServingError(
                .unimplemented,
                "OpenVINO computes tensor '\(name)' as type \(type), and its signature says "
                    + spec.dtype.name)
        }
    }

    func free() {
        for port in list { library.api.output_const_port_free(port.pointer) }
    }
}
