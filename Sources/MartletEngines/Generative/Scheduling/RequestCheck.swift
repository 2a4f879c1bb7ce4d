import MartletCore

extension SchedulerSettings {
    /// Refuses a request that makes no sense, or whose time is over.
    func check(
        _ request: GenerationRequest, deadline: Duration?, now: Duration
    ) throws(GenerationRefusal) {
        let prompt = request.prompt
        guard !prompt.isEmpty else {
            throw GenerationRefusal(.invalidArgument("The prompt is empty"))
        }
        guard prompt.count <= contextTokensMax else {
            throw GenerationRefusal(
                .invalidArgument(
                    "The prompt has \(prompt.count) tokens; the model's context holds "
                        + "\(contextTokensMax)"))
        }
        if let wanted = request.newTokensMax, wanted < 1 {
            throw GenerationRefusal(
                .invalidArgument("\(wanted) tokens are to be generated; it must be at least 1"))
        }
        if let wrong = prompt.first(where: { !hasToken($0) }) {
            throw GenerationRefusal(
                .invalidArgument(
                    "The prompt has token \(wrong); the model's tokens are 0 to "
                        + "\(vocabularySize - 1)"))
        }
        if let deadline, deadline <= now {
            throw GenerationRefusal(
                ServingError(.deadlineExceeded, "The deadline passed before the request began"))
        }
    }

    /// Whether a token is one of the model's.
    func hasToken(_ token: TokenID) -> Bool { token >= 0 && Int(token) < vocabularySize }

    /// Whether a request may wait behind others.
    func hasRoom(
        for request: GenerationRequest, behind waiting: Int, tokens: Int
    ) -> Bool {
        if request.isExemptFromQueueLimit { return true }
        return waiting < waitingMax && request.prompt.count <= waitingTokensMax - tokens
    }

    /// What a request is told for which there is no room.
    func full(_ waiting: Int, tokens: Int, retryAfter: Duration) -> GenerationRefusal {
        GenerationRefusal(
            ServingError(
                .resourceExhausted,
                "The model's queue is full: \(waiting) requests of \(tokens) tokens wait. "
                    + "Try again later or add nodes"),
            retryAfter: retryAfter)
    }
}
