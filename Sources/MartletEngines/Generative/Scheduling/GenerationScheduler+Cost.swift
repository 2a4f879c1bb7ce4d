internal import MartletCore

extension GenerationScheduler {
    /// What prompts may take of a step beside those that decode in it.
    func budget(beside draft: StepDraft) -> PromptBudget {
        PromptBudget(settings, cost: stepCost.cost, beside: draft)
    }

    /// Learns what positions cost from a step that has prompts in it, and was done.
    ///
    /// - Parameters:
    ///   - chunks: what it did, before that is noted.
    ///   - now: the time.
    mutating func takeCost(of chunks: [PlannedChunk], now: Duration) {
        var (prompts, tokens, positions) = (0, 0, 0.0)
        for chunk in chunks {
            guard let sequence = sequences[Int(chunk.slot)] else { return }
            if chunk.count > 1 { prompts += chunk.count }
            tokens += chunk.tokens
            positions += TokenCost.positions(chunk.tokens, from: sequence.computed)
        }
        guard prompts >= StepCost.promptTokensMin else { return }
        stepCost.observe(tokens: tokens, positions: positions, seconds: (now - stepBegan).seconds)
    }
}
