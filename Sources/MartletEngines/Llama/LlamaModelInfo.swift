internal import CLlama

/// What a model is.
public struct LlamaModelInfo: Sendable, Equatable {
    /// llama.cpp's words for it, such as `llama 135M Q4_0`.
    public let summary: String

    /// How many tokens there are.
    public let vocabularySize: Int

    /// Tokens of the longest texts it was trained with.
    public let trainingContext: Int

    /// Numbers in an embedding.
    public let embeddingSize: Int

    /// Layers.
    public let layers: Int

    /// Heads of attention in a layer, and those of them with keys and values of their own.
    public let heads: Int

    /// Heads with keys and values of their own.
    public let keyValueHeads: Int

    /// Tokens that layers with a sliding window see; 0 without such layers.
    public let slidingWindow: Int

    /// Numbers that a ranking model gives for a text.
    public let classes: Int

    /// Parameters.
    public let parameterCount: UInt64

    /// Bytes of the weights.
    public let byteCount: UInt64

    /// The type of the weights as the file names it.
    public let fileType: Int

    /// Whether it only turns texts into vectors, or first encodes what it then decodes.
    public let hasEncoder: Bool

    /// Whether it can generate.
    public let hasDecoder: Bool

    /// Whether its memory of a sequence cannot be cut: prefixes cannot be shared in part.
    public let isRecurrent: Bool

    /// The special tokens.
    public let tokens: LlamaSpecialTokens

    init(_ info: martlet_llama_model_info, summary: String) {
        self.summary = summary
        vocabularySize = Int(info.vocabulary_size)
        trainingContext = Int(info.training_context)
        embeddingSize = Int(info.embedding_size)
        layers = Int(info.layers)
        heads = Int(info.heads)
        keyValueHeads = Int(info.kv_heads)
        slidingWindow = Int(info.sliding_window)
        classes = Int(info.classes)
        parameterCount = info.parameter_count
        byteCount = info.byte_count
        fileType = Int(info.file_type)
        hasEncoder = info.has_encoder
        hasDecoder = info.has_decoder
        isRecurrent = info.is_recurrent || info.is_hybrid
        tokens = LlamaSpecialTokens(info)
    }
}

extension LlamaModelInfo {
    /// How many times as long an operation of attention takes as one of a layer's matrices, about:
    /// eight on a processor was measured, one on a good GPU.
    private static let attentionSlowness = 4.0

    /// What a position adds to a token's cost by the number of operations: two matrix products over
    /// all heads, beside one product with each weight but the embeddings (Kaplan et al., "Scaling
    /// Laws for Neural Language Models", 2020, table 1).
    var expectedCost: TokenCost {
        let width = Double(embeddingSize)
        let weights = Double(parameterCount) - Double(vocabularySize) * width
        guard !isRecurrent, weights > 0 else { return TokenCost() }
        let perPosition = 2 * Double(layers) * width / weights
        return TokenCost(perPosition: min(1, perPosition * LlamaModelInfo.attentionSlowness))
    }
}

/// Tokens of a vocabulary with a meaning of their own; `nil` where it has none.
public struct LlamaSpecialTokens: Sendable, Equatable {
    /// Begins a sequence.
    public let beginning: Int32?
    /// Ends a sequence.
    public let end: Int32?
    /// Ends a turn of a chat.
    public let endOfTurn: Int32?
    /// Stands between two texts.
    public let separator: Int32?
    /// A new line.
    public let newline: Int32?
    /// Stands before what is before a gap to be filled.
    public let fillPrefix: Int32?
    /// Stands before what is after it.
    public let fillSuffix: Int32?
    /// Stands before what fills it.
    public let fillMiddle: Int32?
    /// Whether texts begin with ``beginning``.
    public let addsBeginning: Bool
    /// Whether texts end with ``end``.
    public let addsEnd: Bool

    init(_ info: martlet_llama_model_info) {
        func token(_ number: Int32) -> Int32? { number >= 0 ? number : nil }
        beginning = token(info.bos)
        end = token(info.eos)
        endOfTurn = token(info.eot)
        separator = token(info.separator)
        newline = token(info.newline)
        fillPrefix = token(info.fill_prefix)
        fillSuffix = token(info.fill_suffix)
        fillMiddle = token(info.fill_middle)
        addsBeginning = info.adds_bos
        addsEnd = info.adds_eos
    }
}
