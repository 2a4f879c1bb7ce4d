import MartletCore

/// What a GGUF model says about itself, read from its header and checked.
///
/// All counts, lengths and places are checked against the files' sizes, and the sizes of the model
/// against what engines assert, so that a file that is cut short or hostile is refused before
/// native code sees it. The tensors' data is not read: 100 GB take as long as their header.
public struct GGUFDescription: Sendable {
    /// The files, in order; an engine is given the first and finds the others by it.
    public let files: [String]

    /// Bytes of all files.
    public let fileBytes: Int

    /// The kind of network, such as `llama`.
    public let architecture: String

    /// The name that its makers gave it; `nil` without one.
    public let name: String?

    /// The number of all weights.
    public let parameterCount: Int

    /// Most tokens of a sequence that it was trained with.
    public let contextLength: Int

    /// Elements of a token's state, which are those of an embedding.
    public let embeddingLength: Int

    /// The number of layers.
    public let layerCount: Int

    /// Heads of attention by layer; 0 for a layer without attention.
    public let headCounts: [Int]

    /// Heads of keys and values by layer.
    public let keyValueHeadCounts: [Int]

    /// The number of tokens that there are.
    public let vocabularySize: Int

    /// The kind of tokenizer, such as `gpt2`; `nil` without any.
    public let tokenizerModel: String?

    /// The token that begins a text; `nil` without one.
    public let beginningToken: Int32?

    /// The token that ends a text; `nil` without one.
    public let endToken: Int32?

    /// How a chat is written as a prompt, in Jinja; `nil` without one.
    public let chatTemplate: String?

    /// Further such templates by name, such as `tool_use`.
    public let namedChatTemplates: [String: String]

    /// How the weights are stored, such as `Q4_K_M`: what the file says of itself, else the type
    /// of most of its bytes.
    public let quantization: String

    /// Bytes of the weights by the type that stores them.
    public let tensorBytes: [GGUFTensorType: Int]

    /// Bytes of all weights, which are memory once the model is loaded.
    public let weightBytes: Int

    /// Whether the model makes vectors of texts, or ranks them, rather than going on with them.
    public let embeds: Bool

    /// Bytes that keys and values of one token take in half precision, at most.
    public let keyValueBytesPerToken: Int

    /// Memory that the model takes with room for so many tokens of all sequences together.
    ///
    /// It leaves out what an engine takes to compute, which grows with the tokens of a step.
    public func memoryBytes(tokens: Int) -> Int {
        let (cells, overflows) = keyValueBytesPerToken.multipliedReportingOverflow(by: tokens)
        return overflows ? .max : [weightBytes, cells].saturatingSum
    }

    /// Whether a folder holds a GGUF model.
    public static func isPresent(in folder: String) -> Bool {
        !GGUFModelFiles.names(in: folder).isEmpty
    }

    /// Reads the description of the GGUF model in a folder: `model.gguf`, else the only one there
    /// is, in one file or in parts named `NAME-00001-of-0000N.gguf`.
    ///
    /// - Parameters:
    ///   - folder: the folder of the version.
    ///   - safety: what the model may do beyond computing.
    ///   - limits: bounds on the header.
    /// - Throws: `ServingError`: `NOT_FOUND` without such a file or a part of it, `DATA_LOSS` for
    ///   one that is cut off, else `INVALID_ARGUMENT`.
    public init(
        folder: String, safety: ModelSafety = ModelSafety(), limits: GGUFLimits = GGUFLimits()
    ) throws {
        let files = try GGUFModelFiles(folder: folder, limits: limits)
        try SavedModelFiles(folder: folder, allowsLinksOutside: safety.allowsLinksOutside).check()
        try self.init(files, limits: limits)
    }

    /// Reads the description of a GGUF model by its file, or by any of its parts.
    ///
    /// - Parameters:
    ///   - file: the path.
    ///   - limits: bounds on the header.
    /// - Throws: `ServingError`, as for a folder.
    public init(file: String, limits: GGUFLimits = GGUFLimits()) throws {
        try self.init(try GGUFModelFiles(path: file, limits: limits), limits: limits)
    }

    private init(_ files: GGUFModelFiles, limits: GGUFLimits) throws {
        let parts = try GGUFParts(files.paths, limits: limits)
        do {
            try self.init(parts, files: files.paths, limits: limits)
        } catch let fault as GGUFFault {
            throw fault.error(of: files.paths.first ?? "")
        }
    }

    private init(_ parts: GGUFParts, files: [String], limits: GGUFLimits) throws {
        let metadata = parts.metadata
        let architecture = try GGUFDescription.architecture(parts)
        let sizes = try GGUFHyperparameters(metadata, architecture: architecture, limits: limits)
        let vocabulary = try GGUFVocabulary(metadata, architecture: architecture)
        self.files = files
        fileBytes = parts.fileBytes
        self.architecture = architecture
        name = try metadata.text("general.name")
        parameterCount = parts.tensors.map(\.elementCount).saturatingSum
        contextLength = sizes.contextLength
        embeddingLength = sizes.embeddingLength
        layerCount = sizes.layerCount
        headCounts = sizes.headCounts
        keyValueHeadCounts = sizes.keyValueHeadCounts
        keyValueBytesPerToken = sizes.keyValueBytesPerToken
        embeds = sizes.embeds
        if sizes.embeds { try sizes.checkVectors(parts, architecture: architecture) }
        vocabularySize = vocabulary.size
        tokenizerModel = vocabulary.model
        beginningToken = vocabulary.beginning
        endToken = vocabulary.end
        chatTemplate = vocabulary.chatTemplate
        namedChatTemplates = vocabulary.namedTemplates
        tensorBytes = Dictionary(
            parts.tensors.map { ($0.type, $0.byteCount) },
            uniquingKeysWith: { [$0, $1].saturatingSum })
        weightBytes = tensorBytes.values.saturatingSum
        let stated = try metadata.count("general.file_type").flatMap(GGUFFileType.name)
        let most = tensorBytes.max { ($0.value, $1.key.name) < ($1.value, $0.key.name) }
        quantization = stated ?? most?.key.name ?? ""
    }

    /// The architecture of what is a model: adapters, projectors and bare vocabularies are not.
    private static func architecture(_ parts: GGUFParts) throws -> String {
        let kind = try parts.metadata.text("general.type") ?? "model"
        guard kind == "model" else {
            throw GGUFFault.unsound("it is of type '\(kind.shown)', not a model")
        }
        guard let architecture = try parts.metadata.text("general.architecture"),
            !architecture.isEmpty
        else { throw GGUFFault.unsound("key 'general.architecture' is missing") }
        guard !parts.tensors.isEmpty else {
            throw GGUFFault.unsound("it has no tensors: a vocabulary is no model")
        }
        return architecture
    }
}
