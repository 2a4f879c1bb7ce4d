import ArgumentParser
import MartletEngines

/// Flags that say how language models (GGUF) are laid out and run.
struct LanguageModelFlags: ParsableArguments {
    @Option(help: "Folder with llama.cpp's libraries, for GGUF models.")
    var llamaPath: String?

    @Option(
        name: .customLong("openvino-genai-path"),
        help: "Folder with OpenVINO GenAI, another engine for GGUF models.")
    var openvinoGenAIPath: String?

    @Option(
        help: ArgumentHelp(
            "Most tokens of prompt and text together; 0 for what the model was trained with, at "
                + "most \(LlamaEngine.Options.contextTokensUsual).", valueName: "tokens"))
    var contextTokens = 0

    @Option(
        help: ArgumentHelp(
            "KV memory of a language model, such as 4GiB: as many tokens fit into all its "
                + "sequences, running and cached.", valueName: "bytes"))
    var kvCache = ByteCount(bytes: LlamaEngine.Options().memoryBytes)

    @Option(
        help: ArgumentHelp(
            "How sequences lie in the KV memory: split (each has its part; fastest), unified (they "
                + "share cells; for memory that holds few whole sequences), or auto.",
            valueName: "layout"))
    var kvLayout = LlamaEngine.Options.MemoryLayout.automatic

    @Option(help: "Sequences of a language model that are generated at once.")
    var maxSequences = LlamaEngine.Options().sequences

    @Option(help: "Requests to a language model that may wait; one more is answered by 429.")
    var maxWaitingSequences = LlamaEngine.Options().waitingMax

    @Option(help: "Most tokens of one step of the decode loop.")
    var stepTokens = LlamaEngine.Options().stepTokens

    @Option(
        help: ArgumentHelp(
            "The part of a step that prompts may take while other sequences generate, 0 to 1; tokens "
                + "far into a text count for as many as take their time. Less keeps the others' "
                + "tokens flowing, more shortens the wait for first tokens.",
            valueName: "share"))
    var promptShare = LlamaEngine.Options().promptShare

    @Option(
        help: ArgumentHelp(
            "Tokens guessed ahead from what a sequence said before, checked in one step; 0 for "
                + "none. Faster for few clients whose texts repeat their prompts.",
            valueName: "tokens"))
    var draftTokens = 0

    @Option(
        name: .customLong("draft-model"),
        help: ArgumentHelp(
            "A smaller model with the same tokenizer that guesses for the model NAME, a GGUF file "
                + "or a folder with one: faster for few clients. May be repeated, for others.",
            valueName: "name=path"))
    var draftModels: [ModelArgument] = []

    @Option(help: "Most tokens that a draft model guesses ahead.")
    var draftMax = LlamaEngine.Options().draftMax

    @Option(
        help: ArgumentHelp(
            "A draft model stops before a token that it holds for less likely, 0 to 1: more gives "
                + "fewer guesses, and fewer wrong ones.", valueName: "probability"))
    var draftMinProbability = LlamaEngine.Options().draftMinProbability

    @Option(help: "Threads that compute a language model; 0 for those of the node.")
    var llamaThreads = 0

    @Option(
        help: ArgumentHelp(
            "How long one step of the decode loop may take before the node says that it is not "
                + "ready; 0 for as long as it takes.", valueName: "seconds"))
    var decodeStallSeconds = LanguageModelFlags.decodeStallSecondsUsual

    @Option(
        help: ArgumentHelp(
            "Layers of language models on GPUs: a number, or all.", valueName: "layers"))
    var gpuLayers = GPULayers.none

    @Option(
        help: ArgumentHelp(
            "How much of a language model each GPU gets, in relation, such as 3,1.",
            valueName: "shares"))
    var tensorSplit = TensorSplit(shares: [])

    @Option(
        name: .customLong("rpc-device"),
        help: ArgumentHelp(
            "A machine that runs 'martlet rpc-server' and computes too; no encryption, so on "
                + "private networks only; may be repeated.", valueName: "host:port"))
    var remoteDevices: [String] = []

    /// Bounds of the flags that are whole numbers.
    enum Range {
        static let contextTokens = 0...(1 << 24)
        static let maxSequences = 1...64
        static let maxWaitingSequences = 1...1_000_000
        static let stepTokens = 1...65_536
        static let draftTokens = 0...64
        static let draftMax = 1...64
        static let llamaThreads = 0...512
        static let decodeStallSeconds = 0...86_400
    }

    /// Far more than the longest step takes of a large model on a slow machine.
    static let decodeStallSecondsUsual = 120

    /// How long one step may take; `nil` for as long as it takes.
    var decodeStallLimit: Duration? {
        decodeStallSeconds == 0 ? nil : .seconds(decodeStallSeconds)
    }

    func validate() throws {
        let ranges = [
            ("--context-tokens", contextTokens, Range.contextTokens),
            ("--max-sequences", maxSequences, Range.maxSequences),
            ("--max-waiting-sequences", maxWaitingSequences, Range.maxWaitingSequences),
            ("--step-tokens", stepTokens, Range.stepTokens),
            ("--draft-tokens", draftTokens, Range.draftTokens),
            ("--draft-max", draftMax, Range.draftMax),
            ("--llama-threads", llamaThreads, Range.llamaThreads),
            ("--decode-stall-seconds", decodeStallSeconds, Range.decodeStallSeconds),
        ]
        for (flag, value, range) in ranges where !range.contains(value) {
            throw ValidationError(
                "\(flag) is \(value); use \(range.lowerBound) to \(range.upperBound)")
        }
        guard promptShare > 0, promptShare <= 1 else {
            throw ValidationError("--prompt-share is \(promptShare); use more than 0, up to 1")
        }
        guard draftMinProbability >= 0, draftMinProbability <= 1 else {
            throw ValidationError(
                "--draft-min-probability is \(draftMinProbability); use 0 to 1")
        }
        let names = draftModels.map(\.name)
        if let repeated = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
            throw ValidationError("--draft-model names '\(repeated)' twice; leave one")
        }
    }

    /// The paths of draft models, by the model that they guess for.
    var draftModelPaths: [String: String] {
        Dictionary(draftModels.map { ($0.name, $0.path) }, uniquingKeysWith: { first, _ in first })
    }

    /// What the flags say.
    ///
    /// - Parameter engineThreads: the node's threads; 0 for one per core.
    /// - Returns: how language models run.
    func options(engineThreads: Int) -> LlamaEngine.Options {
        var options = LlamaEngine.Options()
        options.model.gpuLayers = gpuLayers.count
        options.model.shares = tensorSplit.shares
        options.contextTokens = contextTokens == 0 ? nil : contextTokens
        options.memoryBytes = kvCache.bytes
        options.layout = kvLayout
        options.sequences = maxSequences
        options.waitingMax = maxWaitingSequences
        options.stepTokens = stepTokens
        options.promptShare = promptShare
        options.draftTokens = draftTokens
        options.draftMax = draftMax
        options.draftMinProbability = draftMinProbability
        let threads = llamaThreads == 0 ? engineThreads : llamaThreads
        options.threads = threads == 0 ? nil : threads
        options.remoteDevices = remoteDevices
        return options
    }
}

/// The value of `--gpu-layers`: a number of layers, or `all`.
struct GPULayers: ExpressibleByArgument, CustomStringConvertible {
    /// No layer.
    static let none = GPULayers(count: 0)

    /// How many; `nil` for all.
    let count: Int?

    init(count: Int?) {
        self.count = count
    }

    init?(argument: String) {
        if argument == "all" {
            count = nil
        } else if let number = Int(argument), (0...65_536).contains(number) {
            count = number
        } else {
            return nil
        }
    }

    var description: String { count.map(String.init) ?? "all" }
}

/// The value of `--tensor-split`: numbers with commas between them.
struct TensorSplit: ExpressibleByArgument, CustomStringConvertible {
    /// What each GPU gets, in relation; empty for what fits.
    let shares: [Float]

    init(shares: [Float]) {
        self.shares = shares
    }

    init?(argument: String) {
        var shares: [Float] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let share = Float(part), share >= 0, share.isFinite else { return nil }
            shares.append(share)
        }
        guard shares.count <= 16, shares.contains(where: { $0 > 0 }) else { return nil }
        self.shares = shares
    }

    var description: String { shares.map { "\($0)" }.joined(separator: ",") }
}
