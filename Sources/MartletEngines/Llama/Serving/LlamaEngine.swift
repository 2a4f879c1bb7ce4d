internal import Foundation
import MartletCore

/// Loads GGUF models through llama.cpp.
public struct LlamaEngine: Engine {
    /// How language models are laid out and scheduled.
    public struct Options: Sendable, Equatable {
        /// How sequences lie in the KV memory.
        public enum MemoryLayout: String, Sendable, Hashable, CaseIterable {
            /// Split where there is room for several sequences, else unified.
            case automatic = "auto"
            /// One memory for all: sequences share the cells of a common prefix, and each may use
            /// all of them; slower with many sequences that share nothing.
            case unified
            /// Each sequence has its equal part, and gets a copy of a common prefix.
            case split
        }

        /// How weights are loaded.
        public var model = LlamaModelOptions()

        /// Most tokens of one sequence; `nil` for what the model was trained with, at most
        /// ``contextTokensUsual``.
        public var contextTokens: Int?

        /// Tokens that the KV memory of all sequences together holds; `nil` for as many as
        /// ``memoryBytes`` hold, at least those of one sequence.
        public var memoryTokens: Int?

        /// Bytes of KV memory.
        public var memoryBytes = 1 << 30

        /// How sequences lie in it.
        public var layout = MemoryLayout.automatic

        /// Most sequences that are generated at once.
        public var sequences = 32

        /// Most tokens of one step.
        public var stepTokens = 512

        /// The part of a step that prompts may take while other sequences generate, 0 to 1.
        public var promptShare = SchedulerSettings.prefillShareUsual

        /// Most requests that wait.
        public var waitingMax = 1024

        /// Most tokens guessed ahead from what a sequence said before; 0 for no guesses.
        public var draftTokens = 0

        /// Most tokens that a draft model guesses ahead, for models that have one.
        public var draftMax = 8

        /// A draft model stops before a token that it holds for less likely, 0 to 1.
        public var draftMinProbability = 0.75

        /// Threads that compute; `nil` for one per core.
        public var threads: Int?

        /// Machines that compute too, by llama.cpp's RPC, such as `10.0.0.7:50052`.
        public var remoteDevices: [String] = []

        /// Most tokens of a sequence where nobody says how many.
        public static let contextTokensUsual = 4096

        /// The defaults.
        public init() {}
    }

    /// The name of the engine.
    public let name = EngineName.llama.rawValue

    private let library: LlamaLibrary
    private let options: Options

    /// Creates an engine over an opened library.
    ///
    /// - Parameters:
    ///   - library: the library.
    ///   - options: how models run.
    /// - Throws: `ServingError` if another machine of ``Options/remoteDevices`` does not answer.
    public init(library: LlamaLibrary, options: Options = Options()) throws {
        self.library = library
        self.options = options
        for endpoint in options.remoteDevices { try library.addRemoteDevices(endpoint) }
    }

    /// The KV memory that the options ask for, and what computing takes.
    public func workingBytes(of artifact: ModelArtifact) -> Int {
        artifact.language.map { LlamaEngine.workingBytes(of: $0, options: options) }
            ?? artifact.fileBytes / 8
    }

    /// What a model takes beside its weights, worked out without the library: KV memory, and what
    /// is computed in.
    ///
    /// - Parameters:
    ///   - files: what the model's files say.
    ///   - options: how it would run.
    /// - Returns: bytes, an upper bound; the largest number for sizes that cannot be.
    public static func workingBytes(of files: LanguageModelFiles, options: Options) -> Int {
        LlamaMemoryEstimate(options, files: files).byteCount
    }

    /// Loads a version; see ``Engine/load(_:)``.
    ///
    /// The files must have passed `GGUFDescription` in `MartletRepository`.
    public func load(_ artifact: ModelArtifact) throws -> any Servable {
        guard let files = artifact.language else {
            throw ServingError.invalidArgument("\(artifact.path) holds no GGUF model")
        }
        let model = try LlamaModel(library: library, path: files.path, options: options.model)
        var adapters: [String: LlamaAdapter] = [:]
        for (name, path) in files.adapters {
            adapters[name] = try LlamaAdapter(model: model, path: path)
        }
        let draft = try files.draft.map { draft in
            LlamaServable.Draft(
                model: try LlamaModel(library: library, path: draft.path, options: options.model),
                files: draft)
        }
        return try LlamaServable(
            id: artifact.id, model: model, adapters: adapters,
            layout: LlamaLayout(options, files: files, model: model.info), options: options,
            embeds: files.sizes.embeds, fileBytes: artifact.fileBytes, draft: draft)
    }
}
