internal import Foundation
public import MartletCore

/// Runs GGUF models by OpenVINO GenAI, each in a worker process of its own.
///
/// A crash of the engine ends the worker alone; it is started again. See `docs/llm.md`.
public struct OpenVINOGenAIEngine: Engine {
    /// How workers run.
    public struct Options: Sendable {
        /// What language models of any engine are bounded by; layout, drafts, GPUs and other
        /// machines have no meaning here.
        public var language: LlamaEngine.Options

        /// Whether prompts that begin alike are computed once, whosever they are: the engine cannot
        /// keep tenants apart, and what is cached can be told from the time to the first token.
        public var sharesPrefixes = true

        /// Takes lines that workers write, with their model.
        public var log: @Sendable (ServableID, String) -> Void = { _, _ in }

        /// Those of language models.
        public init(_ language: LlamaEngine.Options = LlamaEngine.Options()) {
            self.language = language
        }
    }

    /// Types of weights that the engine reads.
    static let weightTypes: Set<String> = ["F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q6_K"]

    /// The name of the engine.
    public let name = EngineName.openvino.rawValue

    private let installation: OpenVINOGenAIInstallation
    private let library: LlamaLibrary
    private let options: Options

    /// Creates an engine.
    ///
    /// - Parameters:
    ///   - installation: runs the workers.
    ///   - library: reads vocabularies and templates.
    ///   - options: how models run.
    public init(
        installation: OpenVINOGenAIInstallation, library: LlamaLibrary,
        options: Options = Options()
    ) {
        self.installation = installation
        self.library = library
        self.options = options
    }

    /// Loads a version; see ``Engine/load(_:)``.
    ///
    /// The files must have passed `GGUFDescription` in `MartletRepository`.
    public func load(_ artifact: ModelArtifact) throws -> any Servable {
        guard let files = artifact.language else {
            throw ServingError.invalidArgument("\(artifact.path) holds no GGUF model")
        }
        try OpenVINOGenAIEngine.check(files)
        var vocabularyOptions = LlamaModelOptions()
        vocabularyOptions.isVocabularyOnly = true
        let vocabulary = try LlamaModel(
            library: library, path: files.path, options: vocabularyOptions)
        guard !files.sizes.embeds, (vocabulary.count(of: "pooling_type") ?? 0) == 0 else {
            throw OpenVINOGenAIEngine.unsuitable("it makes embeddings")
        }
        let scheduling = scheduling(of: vocabulary, files)
        let id = artifact.id
        var worker = GenAILoop.Settings(command: command(files, scheduling))
        worker.log = { [log = options.log] in log(id, $0) }
        return try GenAIServable(
            id: id, vocabulary: vocabulary, scheduling: scheduling, worker: worker,
            memoryBytes: [
                artifact.fileBytes, scheduling.cells.saturatingProduct(files.cellBytes),
            ].saturatingSum)
    }

    /// Whether the engine may load a model, as far as its files tell.
    public static func mayLoad(_ files: LanguageModelFiles) -> Bool {
        guard !files.sizes.embeds else { return false }
        do {
            try check(files)
            return true
        } catch {
            return false
        }
    }

    /// Refuses what the engine cannot load, before a process is started for it.
    static func check(_ files: LanguageModelFiles) throws {
        guard files.partCount == 1 else {
            throw unsuitable("it is in \(files.partCount) parts")
        }
        guard files.adapters.isEmpty else {
            throw unsuitable("it has LoRA adapters")
        }
        let unknown = files.weightTypes.subtracting(weightTypes).sorted()
        guard unknown.isEmpty else {
            throw unsuitable(
                "it has weights of type \(unknown.joined(separator: ", ")), and the engine reads "
                    + weightTypes.sorted().joined(separator: ", "))
        }
    }

    private static func unsuitable(_ reason: String) -> ServingError {
        ServingError(
            .unimplemented,
            "OpenVINO GenAI does not load the model: \(reason). Use --engine llama")
    }

    /// Bounds that follow from the operator's wishes and the model's sizes.
    private func scheduling(
        of vocabulary: LlamaModel, _ files: LanguageModelFiles
    ) -> SchedulerSettings {
        let language = options.language
        let context = language.contextTokens(
            trainedWith: vocabulary.count(of: "context_length") ?? 0)
        let block = GenAIPrefixes.blockTokens
        let wanted = language.cells(ofBytes: files.cellBytes)
        // One sequence fits in any case, with a block to spare.
        let cells = max(context + 2 * block, wanted) / block * block
        var settings = SchedulerSettings(
            cells: cells, slots: SlotSet.capacity, contextTokensMax: context,
            stepTokensMax: language.stepTokens, runningMax: language.sequences)
        settings.waitingMax = language.waitingMax
        settings.vocabularySize = vocabulary.info.vocabularySize
        settings.endTokens = vocabulary.endTokens
        settings.sharing = options.sharesPrefixes ? .byReference : .none
        return settings
    }

    private func command(
        _ files: LanguageModelFiles, _ scheduling: SchedulerSettings
    ) -> [String] {
        let scheduling = scheduling.consistent
        let threads = options.language.threads ?? ProcessInfo.processInfo.activeProcessorCount
        var command = [
            // Apart from what other Pythons of the user have.
            installation.python, "-I", "-B", installation.worker, "--model", files.path,
            "--blocks", "\(scheduling.cells / GenAIPrefixes.blockTokens)",
            "--sequences", "\(scheduling.runningMax)",
            "--step-tokens", "\(scheduling.stepTokensMax)", "--threads", "\(max(1, threads))",
        ]
        if scheduling.sharing != .none { command.append("--prefix-cache") }
        return command
    }
}
