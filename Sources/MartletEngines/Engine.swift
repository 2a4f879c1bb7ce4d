public import MartletCore
public import MartletTensors

/// Loads models of one format.
///
/// Implementations pass the engines' compatibility suite.
///
/// Calls block and belong on threads that may block; never call them on an event loop.
public protocol Engine: Sendable {
    /// The name flags, metrics and the status use, such as `tensorflow`.
    var name: String { get }

    /// Whether it has a choice between exact and fast computing on this machine.
    var hasFastPrecision: Bool { get }

    /// Bytes of memory that a version will take beside its files' size, told before it is loaded:
    /// an estimate.
    func workingBytes(of artifact: ModelArtifact) -> Int

    /// Loads a version so that it is ready to answer.
    ///
    /// - Throws: `ServingError`; a failed load leaves nothing behind.
    func load(_ artifact: ModelArtifact) throws -> any Servable
}

extension Engine {
    /// Most engines compute in the types that the model says.
    public var hasFastPrecision: Bool { false }

    /// Most engines need little beside the weights.
    public func workingBytes(of artifact: ModelArtifact) -> Int { artifact.fileBytes / 8 }
}

/// A version loaded in an engine and able to answer.
public protocol Servable: Sendable {
    /// Which version it is.
    var id: ServableID { get }

    /// The signatures by name.
    var signatures: [String: Signature] { get }

    /// Bytes of memory that loading took: an estimate, at least the size of the files.
    var memoryBytes: Int { get }

    /// Runs a signature on the calling thread; safe to call from several threads at once.
    ///
    /// - Parameters:
    ///   - signature: one of ``signatures``.
    ///   - inputs: validated, in the order of the signature's inputs.
    ///   - outputs: the outputs wanted, a selection of the signature's.
    /// - Returns: one tensor for each element of `outputs`, in that order.
    /// - Throws: `ServingError` with the engine's message.
    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor]

    /// Runs several signatures that take the same input tensors, if the engine can in one go.
    ///
    /// - Parameters:
    ///   - selections: the signatures, each with the outputs wanted of it.
    ///   - inputs: validated, in the order of the first signature's inputs.
    /// - Returns: the outputs of each selection, in order.
    /// - Throws: `ServingError` with the engine's message.
    func run(_ selections: [OutputSelection], inputs: [NamedTensor]) throws -> [[NamedTensor]]

    /// Gives the engine's memory back. The caller guarantees that no run is under way and that
    /// none follows.
    func unload()
}

/// A version in storage, validated, as an engine needs it for loading.
public struct ModelArtifact: Sendable {
    /// Which version it is.
    public var id: ServableID

    /// The folder that holds it.
    public var path: String

    /// What the folder holds.
    public var format: ModelFormat

    /// The tags of the graph to load, such as `serve`.
    public var tags: [String]

    /// The signatures of that graph.
    public var signatures: [Signature]

    /// Bytes of all files of the version.
    public var fileBytes: Int

    /// Steps of the model that parse examples, for an engine that has no operation for them.
    public var exampleSteps: ExampleSteps?

    /// An operation whose runs leave something behind, or are never alike, so that engines cannot
    /// be compared; `nil` without any.
    public var effect: String?

    /// How exactly to compute, for an engine that has the choice.
    public var precision: EnginePrecision

    /// The files of a language model; `nil` for any other.
    public var language: LanguageModelFiles?

    /// Creates a description.
    public init(
        id: ServableID, path: String, format: ModelFormat = .savedModel, tags: [String],
        signatures: [Signature], fileBytes: Int, exampleSteps: ExampleSteps? = nil,
        effect: String? = nil, precision: EnginePrecision = .exact,
        language: LanguageModelFiles? = nil
    ) {
        self.id = id
        self.path = path
        self.format = format
        self.tags = tags
        self.signatures = signatures
        self.fileBytes = fileBytes
        self.exampleSteps = exampleSteps
        self.effect = effect
        self.precision = precision
        self.language = language
    }
}

/// How exactly an engine computes.
public enum EnginePrecision: String, Sendable, Hashable, CaseIterable {
    /// In the types that the model says.
    case exact
    /// In 16-bit numbers (bfloat16) where the model says 32, if the processor has them.
    case fast
}

/// A signature and the outputs wanted of it.
public struct OutputSelection: Sendable {
    /// One of the servable's signatures.
    public let signature: Signature

    /// A selection of its outputs.
    public let outputs: [TensorSpec]

    /// Creates a selection.
    public init(signature: Signature, outputs: [TensorSpec]) {
        self.signature = signature
        self.outputs = outputs
    }
}

extension Servable {
    /// Runs one signature after the other.
    public func run(
        _ selections: [OutputSelection], inputs: [NamedTensor]
    ) throws -> [[NamedTensor]] {
        try selections.map { try run($0.signature, inputs: inputs, outputs: $0.outputs) }
    }
}
