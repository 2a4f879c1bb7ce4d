internal import CTensorFlow
internal import Foundation
import MartletCore
import MartletTensors

/// Loads SavedModels through TensorFlow's C API.
public struct TensorFlowEngine: Engine {
    /// The name of the engine.
    public let name = "tensorflow"

    private let library: TensorFlowLibrary
    private let options: TensorFlowOptions

    /// Creates an engine over an opened library.
    ///
    /// Call it in a thread of usual niceness: TensorFlow's threads take over that of the caller.
    public init(library: TensorFlowLibrary, options: TensorFlowOptions = TensorFlowOptions()) {
        self.library = library
        self.options = options
        options.applyEnvironment()
        startThreads()
    }

    /// Has TensorFlow start the threads that all sessions share, which its first session does.
    ///
    /// Were that the first load, they would stand back for ever as loading does. Options that it
    /// does not take are reported by each load.
    private func startThreads() {
        try? withSessionOptions { sessionOptions in
            let graph = try TensorFlowGraph(library: library)
            let session = try library.withStatus {
                library.api.NewSession(graph.pointer, sessionOptions, $0)
            }
            if let session { library.close(session) }
        }
    }

    /// Loads a SavedModel; see ``Engine/load(_:)``.
    public func load(_ artifact: ModelArtifact) throws -> any Servable {
        let before = ResidentMemory.bytes()
        let graph = try TensorFlowGraph(library: library)
        let session = try openSession(artifact, graph: graph)
        do {
            try requireVariables(artifact, graph: graph)
            let calls = try artifact.signatures.map {
                try TensorFlowCall(signature: $0, graph: graph)
            }
            let measured = ResidentMemory.bytes() - before
            return TensorFlowServable(
                artifact: artifact, library: library, graph: graph, session: session, calls: calls,
                memoryBytes: max(measured, artifact.fileBytes),
                runsInCallingThread: options.runsInCallingThread)
        } catch {
            library.close(session)
            throw error
        }
    }

    /// TensorFlow loads a model whose variables are missing without complaint, and then fails at
    /// each request: a copy that is not finished looks like this.
    private func requireVariables(_ artifact: ModelArtifact, graph: TensorFlowGraph) throws {
        let index = "\(artifact.path)/variables/variables.index"
        guard graph.hasVariables, !FileManager.default.fileExists(atPath: index) else { return }
        throw ServingError.notFound(
            "\(index) does not exist, but the model has variables: is its copy complete?")
    }

    private func openSession(
        _ artifact: ModelArtifact, graph: TensorFlowGraph
    ) throws -> OpaquePointer {
        // Variables are restored in this thread, which stands back, and not in those of requests.
        let runOptions = library.makeCallingThreadOptions()
        defer { if let runOptions { library.api.DeleteBuffer(runOptions) } }
        let session = try withSessionOptions { sessionOptions in
            try library.withStatus { status in
                withCStrings(artifact.tags) { tags in
                    library.api.LoadSessionFromSavedModel(
                        sessionOptions, runOptions, artifact.path, tags.baseAddress,
                        Int32(tags.count),
                        graph.pointer, nil, status)
                }
            }
        }
        guard let session else {
            throw ServingError(.internal, "TensorFlow returned no session for \(artifact.path)")
        }
        return session
    }

    private func withSessionOptions<Result>(
        _ body: (OpaquePointer) throws -> Result
    ) throws -> Result {
        guard let sessionOptions = library.api.NewSessionOptions() else {
            throw ServingError(.resourceExhausted, "TensorFlow is out of memory")
        }
        defer { library.api.DeleteSessionOptions(sessionOptions) }
        let configuration = options.serializedConfiguration
        try library.withStatus {
            library.api.SetConfig(sessionOptions, configuration, configuration.count, $0)
        }
        return try body(sessionOptions)
    }
}

extension TensorFlowLibrary {
    /// Options of a run whose operations run in the calling thread; nil out of memory.
    ///
    /// The caller deletes the buffer.
    func makeCallingThreadOptions() -> UnsafeMutablePointer<TF_Buffer>? {
        // RunOptions.inter_op_thread_pool = -1.
        let options: [UInt8] = [
            0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        ]
        return api.NewBufferFromString(options, options.count)
    }

    /// Closes and frees a session.
    ///
    /// Errors on the way out have no remedy and are ignored.
    func close(_ session: OpaquePointer) {
        try? withStatus { api.CloseSession(session, $0) }
        try? withStatus { api.DeleteSession(session, $0) }
    }
}

/// A graph that lives as long as somebody holds it.
final class TensorFlowGraph: Sendable {
    // Freed only in deinit; TensorFlow locks the graph itself.
    nonisolated(unsafe) let pointer: OpaquePointer
    private let library: TensorFlowLibrary

    init(library: TensorFlowLibrary) throws {
        guard let pointer = library.api.NewGraph() else {
            throw ServingError(.resourceExhausted, "TensorFlow is out of memory")
        }
        self.pointer = pointer
        self.library = library
    }

    deinit { library.api.DeleteGraph(pointer) }

    /// Whether an operation of the graph holds a variable.
    var hasVariables: Bool {
        let kinds: Set<String> = ["VarHandleOp", "VariableV2", "Variable"]
        var position = 0
        while let operation = library.api.GraphNextOperation(pointer, &position) {
            if let kind = library.api.OperationOpType(operation),
                kinds.contains(String(cString: kind))
            {
                return true
            }
        }
        return false
    }

    /// Finds a tensor by its name in the graph, such as `serving_default_x:0`.
    func output(named name: String) throws -> TF_Output {
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let operationName = parts.first,
            let index = parts.count == 2 ? Int32(parts[1]) : 0,
            let operation = library.api.GraphOperationByName(pointer, String(operationName)),
            (0..<library.api.OperationNumOutputs(operation)).contains(index)
        else {
            throw ServingError.invalidArgument(
                "The signature names tensor '\(name)', which the graph does not have")
        }
        return TF_Output(oper: operation, index: index)
    }
}

/// Calls `body` with C copies of strings that are valid only meanwhile.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeMutableBufferPointer<UnsafePointer<CChar>?>) throws -> Result
) rethrows -> Result {
    let copies = strings.map { Array($0.utf8CString) }
    let total = copies.reduce(0) { $0 + $1.count }
    return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: max(total, 1)) { storage in
        try withUnsafeTemporaryAllocation(
            of: UnsafePointer<CChar>?.self, capacity: max(copies.count, 1)
        ) { pointers in
            var offset = 0
            for (index, copy) in copies.enumerated() {
                _ = storage[offset...].initialize(from: copy)
                pointers.initializeElement(
                    at: index, to: storage.baseAddress.map { UnsafePointer($0 + offset) })
                offset += copy.count
            }
            return try body(UnsafeMutableBufferPointer(rebasing: pointers[..<copies.count]))
        }
    }
}
