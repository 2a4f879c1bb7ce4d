internal import CLlama

/// How a model's weights are loaded.
public struct LlamaModelOptions: Sendable, Equatable {
    /// How a model is divided between several GPUs.
    public enum Split: Int32, Sendable {
        /// All on one, ``LlamaModelOptions/mainGPU``.
        case none = 0
        /// Whole layers to each.
        case layers = 1
        /// The rows of each layer to all.
        case rows = 2
    }

    /// Layers that run on GPUs: 0 for none, `nil` for all.
    public var gpuLayers: Int? = 0

    /// How the model is divided between GPUs.
    public var split = Split.layers

    /// The GPU for what is not divided.
    public var mainGPU = 0

    /// How much of the model each GPU gets, in relation to one another; empty for what fits.
    public var shares: [Float] = []

    /// Maps the file in place of reading it: loads faster and shares memory with other processes,
    /// but a file that is cut short while it is mapped ends the process.
    public var mapsFile = false

    /// Keeps the weights from being swapped out.
    public var locksMemory = false

    /// Loads the vocabulary and the templates, and no weights.
    public var isVocabularyOnly = false

    /// Checks every number of the weights, which takes as long as reading them again.
    public var checksWeights = false

    /// The defaults: all on the processor.
    public init() {}

    /// Calls `body` with the library's form of these.
    func withParameters<Result>(
        _ defaults: martlet_llama_model_parameters,
        _ body: (inout martlet_llama_model_parameters) throws -> Result
    ) rethrows -> Result {
        var parameters = defaults
        parameters.gpu_layers = gpuLayers.map { Int32(clamping: max(0, $0)) } ?? -1
        parameters.split_mode = split.rawValue
        parameters.main_gpu = Int32(clamping: mainGPU)
        parameters.maps_file = mapsFile
        parameters.locks_memory = locksMemory
        parameters.vocabulary_only = isVocabularyOnly
        parameters.checks_tensors = checksWeights
        return try shares.withUnsafeBufferPointer { shares in
            parameters.split = shares.baseAddress
            parameters.split_count = shares.count
            return try body(&parameters)
        }
    }
}
