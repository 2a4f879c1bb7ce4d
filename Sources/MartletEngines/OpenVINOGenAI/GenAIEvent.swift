internal import MartletCore

/// What happens to a request.
struct GenAIEvent: Sendable {
    enum Kind: Sendable {
        case started(cachedTokens: Int)
        case token(TokenID, logprob: Float?)
        case finished(FinishReason, GenerationUsage)
        case failed(ServingError, GenerationUsage)
    }

    let id: GenerationID
    let kind: Kind

    /// Whether nothing comes after it.
    var isLast: Bool {
        switch kind {
        case .started, .token: false
        case .finished, .failed: true
        }
    }
}
