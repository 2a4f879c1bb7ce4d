internal import CLlama

/// Tokens of several sequences to be computed in one go; made once and filled anew for each.
public struct LlamaBatch: Sendable {
    var tokens: [martlet_llama_token] = []

    /// An empty batch.
    ///
    /// - Parameter capacity: how many tokens there is room for without taking memory.
    public init(capacity: Int = 0) {
        tokens.reserveCapacity(max(0, capacity))
    }

    /// How many tokens it has.
    public var count: Int { tokens.count }

    /// Whether it has none.
    public var isEmpty: Bool { tokens.isEmpty }

    /// Adds a token.
    ///
    /// - Parameters:
    ///   - token: which one.
    ///   - position: its place in its sequence, one more than the one before.
    ///   - sequence: whose it is.
    ///   - wantsOutput: whether scores, or an embedding, are wanted of it.
    public mutating func append(
        _ token: Int32, position: Int32, sequence: Int32, wantsOutput: Bool
    ) {
        tokens.append(
            martlet_llama_token(
                token: token, position: position, sequence: sequence,
                wants_output: wantsOutput ? 1 : 0))
    }

    /// Takes all tokens out, and keeps the memory.
    public mutating func removeAll() {
        tokens.removeAll(keepingCapacity: true)
    }
}

/// How a decode ended that did not fail.
public enum LlamaDecodeOutcome: Sendable, Equatable {
    /// It is computed.
    case computed
    /// The memory has no room for it; nothing was done.
    case full
    /// It was cancelled. Some of it may be computed: ``LlamaContext/lastPosition(of:)`` tells.
    case cancelled
}
