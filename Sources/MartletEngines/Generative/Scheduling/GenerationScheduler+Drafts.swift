internal import MartletCore

extension GenerationScheduler {
    // MARK: A draft model

    /// Sequences whose next tokens the draft model is to guess before the next step.
    ///
    /// None where what was said before gives a guess, none while the draft model makes nothing
    /// faster, nor while so many sequences run that the step is busy without guesses.
    func draftWishes() -> [DraftWish] {
        guard settings.draftModelTokensMax > 0, draftGate.usesDrafts, stepUnderWay == nil,
            running.count <= settings.draftSequencesMax
        else { return [] }
        return running.compactMap { slot in
            guard let sequence = sequences[Int(slot)], sequence.isDecoding, !sequence.isEnded,
                sequence.currentProposal == nil
            else { return nil }
            let limit = min(sequence.modelDraftTokens, sequence.draftRoom)
            guard limit > 0, lookUp(sequence, limit: limit).isEmpty else { return nil }
            return DraftWish(id: sequence.id, tokens: sequence.tokens, limit: limit)
        }
    }

    /// Keeps guesses for the steps that they were made for; others are forgotten.
    mutating func take(_ round: DraftRound) {
        if round.isCatchingUp { isPaceUnusual = true }
        for proposal in round.proposals {
            guard let slot = slotsByID[proposal.id],
                sequences[Int(slot)]?.tokens.count == proposal.length
            else { continue }
            sequences[Int(slot)]?.proposal = proposal
        }
    }

    // MARK: Guesses of a step

    /// Adds guesses to sequences that decode, if the step has few others; they get only what is
    /// free.
    mutating func guess(in draft: inout StepDraft) {
        guard draft.chunks.count <= settings.draftSequencesMax else { return }
        for (index, chunk) in draft.chunks.enumerated() where chunk.isLast {
            guard let sequence = sequences[Int(chunk.slot)] else { continue }
            let limit = min(
                sequence.draftRoom, settings.stepTokensMax - draft.tokens,
                freeCells(beside: draft))
            let (drafts, source) = guesses(of: sequence, limit: limit)
            guard !drafts.isEmpty else { continue }
            draft.add(drafts: drafts, from: source, to: index)
            counters.didPropose(drafts.count, from: source)
        }
    }

    /// Those that cost nothing go first.
    private func guesses(
        of sequence: ScheduledSequence, limit: Int
    ) -> (tokens: [TokenID], source: DraftSource) {
        guard limit > 0 else { return ([], .lookup) }
        let found = lookUp(sequence, limit: limit)
        guard found.isEmpty, let proposal = sequence.currentProposal else {
            return (found, .lookup)
        }
        return (Array(proposal.tokens.prefix(limit)), .model)
    }

    private func lookUp(_ sequence: ScheduledSequence, limit: Int) -> [TokenID] {
        guard settings.draftTokensMax > 0 else { return [] }
        return settings.lookup.propose(
            after: sequence.tokens, limit: min(limit, sequence.draftTokens))
    }

    // MARK: What became of them

    /// Forgets the cells of guesses; those of right ones are counted with their tokens.
    mutating func dropDrafts(of chunk: PlannedChunk, accepted: Int) {
        guard !chunk.drafts.isEmpty, let sequence = sequences[Int(chunk.slot)] else { return }
        counters.didAccept(accepted, from: chunk.source)
        let next = max(1, accepted == chunk.drafts.count ? accepted * 2 : accepted + 1)
        switch chunk.source {
        case .lookup:
            sequences[Int(chunk.slot)]?.draftTokens = min(next, settings.draftTokensMax)
        case .model:
            sequences[Int(chunk.slot)]?.modelDraftTokens = min(next, settings.draftModelTokensMax)
        }
        // Of one that has ended none is counted.
        let kept = sequence.isEnded ? 0 : accepted
        guard kept < chunk.drafts.count else { return }
        operations.append(.cut(chunk.slot, from: sequence.computed + kept))
    }

    /// Takes the time of a step, if all that it did was to give tokens to sequences.
    ///
    /// - Parameters:
    ///   - chunks: what it did; empty for one that failed.
    ///   - generated: tokens that it gave.
    ///   - now: the time.
    mutating func takePace(of chunks: [PlannedChunk], generated: Int, now: Duration) {
        defer {
            isPaceUnusual = false
            // Waiting for requests is no part of a step.
            lastStepEnd = running.isEmpty ? nil : now
        }
        guard settings.draftModelTokensMax > 0, let lastStepEnd, !isPaceUnusual, !chunks.isEmpty,
            chunks.count <= settings.draftSequencesMax,
            chunks.allSatisfy({ $0.isLast && $0.count == 1 })
        else { return }
        draftGate.didStep(
            seconds: (now - lastStepEnd).seconds, tokens: Double(generated) / Double(chunks.count))
    }
}

extension ScheduledSequence {
    /// Tokens that can be guessed so that one more than they is not too many.
    fileprivate var draftRoom: Int { newTokensMax - generated - 1 }

    /// What a draft model guessed, unless tokens came since.
    fileprivate var currentProposal: DraftProposal? {
        proposal.flatMap { $0.length == tokens.count ? $0 : nil }
    }
}

extension GenerationCounters {
    fileprivate mutating func didPropose(_ count: Int, from source: DraftSource) {
        switch source {
        case .lookup: draftsProposed += count
        case .model: modelDraftsProposed += count
        }
    }

    fileprivate mutating func didAccept(_ count: Int, from source: DraftSource) {
        switch source {
        case .lookup: draftsAccepted += count
        case .model: modelDraftsAccepted += count
        }
    }
}
