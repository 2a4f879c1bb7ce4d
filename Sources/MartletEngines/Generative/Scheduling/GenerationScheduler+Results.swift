internal import MartletCore

extension GenerationScheduler {
    /// How a request ends.
    enum Ending {
        case finished(FinishReason)
        case failed(ServingError)
    }

    /// Notes how the step under way went.
    ///
    /// Nothing was under way where a plan had operations alone; then nothing happens, unless they
    /// failed.
    ///
    /// - Parameters:
    ///   - outcome: what the engine and the samplers said.
    ///   - now: the time.
    /// - Returns: what is to be told to requests.
    mutating func didStep(_ outcome: StepOutcome, now: Duration) -> [SequenceEvent] {
        guard let chunks = stepUnderWay ?? (outcome.losesMemory ? [] : nil) else { return [] }
        stepUnderWay = nil
        ownCells -= chunks.reduce(0) { $0 + $1.tokens }
        if case .completed(let results) = outcome {
            takeCost(of: chunks, now: now)
            let before = counters.generatedTokens
            didComplete(chunks, results, now: now)
            takePace(of: chunks, generated: counters.generatedTokens - before, now: now)
        } else {
            counters.failedSteps += 1
            takePace(of: [], generated: 0, now: now)
            rollBack(chunks, now: now)
            recover(from: outcome, chunks, now: now)
        }
        return takeEvents()
    }

    // MARK: Success

    private mutating func didComplete(
        _ chunks: [PlannedChunk], _ results: [SlotResult], now: Duration
    ) {
        counters.steps += 1
        abortsInARow = 0
        lossesInARow = 0
        if let first = suspects.first, chunks.contains(where: { $0.id == first }) {
            suspects.removeFirst()
        }
        // By slot: chunks are few, and most results come in their order.
        var hint = 0
        for chunk in chunks {
            didDecode(chunk)
            if chunk.isLast {
                let result = Self.result(of: chunk.slot, in: results, &hint)
                didSample(chunk, result, now: now)
            }
            if sequences[Int(chunk.slot)]?.isEnded == true { _ = leave(chunk.slot) }
        }
    }

    private mutating func didDecode(_ chunk: PlannedChunk) {
        guard var sequence = sequences[Int(chunk.slot)] else { return }
        counters.decodedTokens += chunk.tokens
        ownCells += chunk.count
        sequence.computed += chunk.count
        // Single tokens of a text are of use to others when it has ended.
        if chunk.count > 1 || sequence.generated == 0 { share(&sequence) }
        sequences[Int(chunk.slot)] = sequence
    }

    private static func result(
        of slot: SlotID, in results: [SlotResult], _ hint: inout Int
    ) -> SlotResult? {
        if hint < results.count, results[hint].slot == slot {
            hint += 1
            return results[hint - 1]
        }
        return results.first { $0.slot == slot }
    }

    private mutating func didSample(
        _ chunk: PlannedChunk, _ result: SlotResult?, now: Duration
    ) {
        switch result {
        case .sampled(_, let tokens) where !tokens.isEmpty:
            take(tokens, after: chunk, now: now)
        case .failed(_, let error):
            dropDrafts(of: chunk, accepted: 0)
            _ = end(chunk.id, .failed(error), now: now)
        default:
            dropDrafts(of: chunk, accepted: 0)
            let error = ServingError(.internal, "The engine chose no token")
            _ = end(chunk.id, .failed(error), now: now)
        }
    }

    /// Takes tokens as far as the guesses before them were right.
    private mutating func take(_ tokens: [TokenID], after chunk: PlannedChunk, now: Duration) {
        var accepted = 0
        while accepted < min(chunk.drafts.count, tokens.count - 1),
            tokens[accepted] == chunk.drafts[accepted]
        {
            accepted += 1
        }
        if !chunk.drafts.isEmpty { dropDrafts(of: chunk, accepted: accepted) }
        guard sequences[Int(chunk.slot)]?.isEnded == false else { return }
        for (index, token) in tokens.prefix(accepted + 1).enumerated() {
            guard let reason = append(token, to: chunk.slot, isComputed: index < accepted) else {
                continue
            }
            // Guesses after the end were right, and are of no use.
            if index < accepted, let computed = sequences[Int(chunk.slot)]?.computed {
                operations.append(.cut(chunk.slot, from: computed))
            }
            _ = end(chunk.id, .finished(reason), now: now)
            return
        }
    }

    /// Adds a token to a sequence.
    ///
    /// - Returns: why it ends with it, if it does.
    private mutating func append(
        _ token: TokenID, to slot: SlotID, isComputed: Bool
    ) -> FinishReason? {
        guard var sequence = sequences[Int(slot)] else { return nil }
        if isEnd(token, of: sequence.terms) { return .stop }
        // Held twice, its tokens would be copied when they grow.
        sequences[Int(slot)] = nil
        sequence.tokens.append(token)
        if isComputed {
            sequence.computed += 1
            ownCells += 1
        }
        counters.generatedTokens += 1
        tenants.charge(sequence.terms.request.tenant, settings.generatedTokenCost)
        events.append(SequenceEvent(id: sequence.id, kind: .token(token)))
        let isFull = sequence.generated >= sequence.newTokensMax
        sequences[Int(slot)] = sequence
        return isFull ? .length : nil
    }

    private func isEnd(_ token: TokenID, of terms: SequenceTerms) -> Bool {
        !terms.request.ignoresEndTokens && settings.endTokens.contains(token)
            || terms.request.stopTokens.contains(token)
    }

    // MARK: Failure

    /// Brings all slots of a step back to where they were before.
    private mutating func rollBack(_ chunks: [PlannedChunk], now: Duration) {
        for chunk in chunks {
            guard let sequence = sequences[Int(chunk.slot)] else { continue }
            operations.append(.cut(chunk.slot, from: sequence.computed))
            if sequence.isEnded { _ = leave(chunk.slot) }
        }
    }

    private mutating func recover(
        from outcome: StepOutcome, _ chunks: [PlannedChunk], now: Duration
    ) {
        switch outcome {
        case .completed: break
        case .outOfCells: relieve(now: now)
        case .aborted:
            abortsInARow += 1
            guard abortsInARow > settings.abortsMax else { return }
            abortsInARow = 0
            let error = ServingError(
                .aborted, "The engine stopped \(settings.abortsMax + 1) times in a row")
            suspect(chunks, error, now: now)
        case .failed(let error): suspect(chunks, error, now: now)
        case .memoryLost(let error): forget(error, now: now)
        }
    }

    /// One of a step's sequences made it fail: each is tried alone, and that which fails alone ends.
    private mutating func suspect(
        _ chunks: [PlannedChunk], _ error: ServingError, now: Duration
    ) {
        let ids = chunks.map(\.id).filter { slotsByID[$0] != nil }
        guard ids.count > 1 || chunks.count > 1 else {
            for id in ids {
                suspects.removeAll { $0 == id }
                _ = end(id, .failed(error), isKept: false, now: now)
            }
            return
        }
        suspects = ids
    }

    /// The engine has fewer cells than it said: the cache goes, then one sequence after the other.
    private mutating func relieve(now: Duration) {
        var none = StepDraft()
        if tree.cached.isEmpty, running.count > 1, let victim = leastStanding() {
            preempt(victim.slot, in: &none)
            holdsBack = true
        } else if tree.cached.isEmpty, let last = leastStanding() {
            let error = ServingError(
                .resourceExhausted, "The engine's KV memory has no room for the sequence")
            _ = end(last.standing.id, .failed(error), isKept: false, now: now)
        }
        while let slot = tree.leastRecentlyUsed { evict(slot) }
    }

    // MARK: Ends

    /// Ends those whose deadline has passed.
    mutating func expire(now: Duration) {
        for slot in running {
            guard let deadline = sequences[Int(slot)]?.deadline, deadline <= now,
                let id = sequences[Int(slot)]?.id
            else { continue }
            _ = end(id, .finished(.deadline), now: now)
        }
        guard let earliestDeadline, earliestDeadline <= now else { return }
        let late = waiting.values.filter { $0.deadline.map { $0 <= now } ?? false }
        for id in late.map(\.id).sorted() { _ = end(id, .finished(.deadline), now: now) }
        self.earliestDeadline = waiting.values.compactMap(\.deadline).min()
    }

    /// Ends a request, wherever it is.
    ///
    /// One that a step under way decodes keeps its slot until that is done.
    ///
    /// - Returns: whether it had not ended before.
    mutating func end(
        _ id: GenerationID, _ ending: Ending, isKept: Bool = true, now: Duration
    ) -> Bool {
        if let slot = slotsByID[id] {
            guard let sequence = sequences[Int(slot)], !sequence.isEnded else { return false }
            tell(ending, sequence)
            tenants.didEnd(sequence.request.tenant)
            if stepUnderWay?.contains(where: { $0.slot == slot }) == true {
                sequences[Int(slot)]?.isEnded = true
            } else {
                _ = leave(slot, isKept: isKept)
            }
            holdsBack = false
        } else {
            guard let sequence = leaveQueue(id) else { return false }
            tell(ending, sequence)
            tenants.didLeave(sequence.request.tenant)
        }
        didEnd(now: now)
        return true
    }

    private mutating func tell(_ ending: Ending, _ sequence: ScheduledSequence) {
        switch ending {
        case .finished(let reason):
            counters.count(reason)
            events.append(SequenceEvent(id: sequence.id, kind: .finished(reason, sequence.usage)))
        case .failed(let error):
            counters.failed += 1
            events.append(SequenceEvent(id: sequence.id, kind: .failed(error, sequence.usage)))
        }
    }
}

extension GenerationCounters {
    /// Counts a request that ended without an error.
    mutating func count(_ reason: FinishReason) {
        switch reason {
        case .stop, .length: completed += 1
        case .cancelled: cancelled += 1
        case .deadline: expired += 1
        }
    }
}

extension SlotResult {
    /// Whose it is.
    var slot: SlotID {
        switch self {
        case .sampled(let slot, _), .failed(let slot, _): slot
        }
    }
}
