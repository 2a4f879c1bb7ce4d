internal import CLlama

/// How a context is laid out.
public struct LlamaContextOptions: Sendable, Equatable {
    /// What a context makes of a text in place of scores for the next token.
    public enum Pooling: Int32, Sendable {
        /// A vector for each token.
        case none = 0
        /// The mean of these.
        case mean = 1
        /// That of the first token.
        case first = 2
        /// That of the last token.
        case last = 3
        /// How well two texts fit each other.
        case rank = 4
    }

    /// How exact the numbers of the KV memory are.
    public enum MemoryType: Int32, Sendable {
        /// 16-bit floating point.
        case half = 16
        /// 8 bits with a scale for each 32 numbers; needs flash attention.
        case eightBits = 8
        /// 4 bits with a scale for each 32 numbers; needs flash attention.
        case fourBits = 4
    }

    /// KV cells for all sequences together: how many tokens the context remembers.
    public var cells = 4096

    /// Most tokens of one decode.
    public var batch = 2048

    /// Most tokens computed at once; embeddings of one text must fit.
    public var microBatch = 512

    /// Most sequences that are decoded.
    ///
    /// Without ``isUnified`` each has its equal part of ``cells``.
    public var sequences = 1

    /// One memory for all sequences: they share the cells of a common prefix, and each may use all
    /// of them.
    ///
    /// Slower with many sequences that share nothing.
    public var isUnified = true

    /// Most outputs of a decode, for which room is kept; `nil` for one for each token.
    public var outputs: Int?

    /// Threads of a decode of one token.
    public var threads = 1

    /// Threads of a decode of more.
    public var batchThreads = 1

    /// Whether to compute attention without its whole matrix; `nil` where the device can.
    public var usesFlashAttention: Bool?

    /// Gives embeddings in place of scores.
    public var givesEmbeddings = false

    /// How embeddings are pooled; `nil` as the model says.
    public var pooling: Pooling?

    /// How exact remembered keys are.
    public var keys = MemoryType.half

    /// How exact remembered values are.
    public var values = MemoryType.half

    /// Whether the memory of layers on a GPU stands there.
    public var offloadsMemory = true

    /// Keeps all cells of layers with a sliding window, so that prefixes can be used again.
    public var keepsFullWindow = true

    /// A context for one sequence on one thread.
    public init() {}

    func parameters(
        _ defaults: martlet_llama_context_parameters
    ) -> martlet_llama_context_parameters {
        var parameters = defaults
        parameters.cells = UInt32(clamping: cells)
        parameters.batch = UInt32(clamping: batch)
        parameters.micro_batch = UInt32(clamping: microBatch)
        parameters.sequences = UInt32(clamping: sequences)
        parameters.is_unified = isUnified
        parameters.outputs = UInt32(clamping: outputs ?? 0)
        parameters.threads = Int32(clamping: threads)
        parameters.batch_threads = Int32(clamping: batchThreads)
        parameters.flash_attention = usesFlashAttention.map { $0 ? 1 : 0 } ?? -1
        parameters.gives_embeddings = givesEmbeddings
        parameters.pooling = pooling?.rawValue ?? -1
        parameters.key_bits = keys.rawValue
        parameters.value_bits = values.rawValue
        parameters.offloads_memory = offloadsMemory
        parameters.keeps_full_window = keepsFullWindow
        return parameters
    }
}

/// What a context has, which may be more or less than was asked for.
public struct LlamaContextLimits: Sendable, Equatable {
    /// KV cells of all sequences together.
    public let cells: Int

    /// Most tokens of one sequence.
    public let sequenceCells: Int

    /// Most tokens of one decode.
    public let batch: Int

    /// Most tokens computed at once.
    public let microBatch: Int

    /// Sequences that are decoded have numbers below this.
    public let sequences: Int

    /// Sequences that only hold cells, such as a prefix for others, have numbers below this.
    ///
    /// With unified memory there are 256, whatever was asked for.
    public let slots: Int

    /// Most outputs of one decode.
    public let outputs: Int

    /// Whether all sequences share one memory.
    public let isUnified: Bool

    /// Numbers in an embedding, or in a rank.
    public let embeddingSize: Int

    /// How embeddings are pooled.
    public let pooling: LlamaContextOptions.Pooling

    /// Bytes of the model's weights.
    public let modelBytes: UInt64

    /// Bytes of the KV memory.
    public let memoryBytes: UInt64

    /// Bytes for computing in.
    public let computeBytes: UInt64

    init(_ info: martlet_llama_context_info) {
        cells = Int(info.cells)
        sequenceCells = Int(info.sequence_cells)
        batch = Int(info.batch)
        microBatch = Int(info.micro_batch)
        sequences = Int(info.sequences)
        slots = Int(info.slots)
        outputs = Int(info.outputs)
        isUnified = info.is_unified
        embeddingSize = Int(info.embedding_size)
        pooling = LlamaContextOptions.Pooling(rawValue: info.pooling) ?? .none
        modelBytes = info.model_bytes
        memoryBytes = info.memory_bytes
        computeBytes = info.compute_bytes
    }
}
