extension GenerationScheduler {
    private enum Verdict {
        case admitted(SlotID)
        /// Another sequence is about to decode much of its prompt.
        case deferred
        /// There is no room for it, or the step has no tokens.
        case blocked
    }

    /// Lets in requests of a group, in their order, as long as the step has tokens for them.
    ///
    /// One that is too large for the room there is keeps those behind it waiting: else it would
    /// wait for ever.
    mutating func admit(
        from index: Int, _ budget: inout PromptBudget, in draft: inout StepDraft
    ) {
        var setAside: [ScheduledSequence] = []
        var isBlocked = false
        while !isBlocked, setAside.count <= settings.lookahead, !holdsBack || running.isEmpty,
            let id = groups[index].queue.next(tenants), let candidate = waiting[id]
        {
            switch admit(candidate, budget, in: &draft) {
            case .admitted(let slot):
                if let sequence = sequences[Int(slot)] {
                    prefill(sequence, &budget, in: &draft)
                }
            case .deferred:
                _ = leaveQueue(id)
                setAside.append(candidate)
            case .blocked:
                isBlocked = true
            }
        }
        for sequence in setAside.reversed() { wait(sequence, isFirst: true) }
    }

    private mutating func admit(
        _ candidate: ScheduledSequence, _ budget: PromptBudget, in draft: inout StepDraft
    ) -> Verdict {
        var match = match(candidate)
        let rest = PromptRest(
            due: candidate.tokens.count - match.length, start: match.length, hasBegun: false)
        guard budget.allowance(for: rest, beside: draft) > 0 else { return .blocked }
        if isWorthWaiting(candidate, beyond: match.length) { return .deferred }
        while !hasRoom(for: candidate, match) {
            guard let victim = leastStanding(),
                victim.standing.priority > candidate.standing.priority
            else { return .blocked }
            preempt(victim.slot, in: &draft)
            match = self.match(candidate)
        }
        guard let slot = begin(candidate, at: match) else { return .blocked }
        return .admitted(slot)
    }

    /// What it can share; never the last token, whose logits are needed.
    private func match(_ candidate: ScheduledSequence) -> PrefixMatch {
        guard candidate.request.usesPrefixCache, settings.sharing != .none else {
            return PrefixMatch()
        }
        let match = tree.match(
            candidate.tokens, limit: candidate.tokens.count - 1, in: candidate.scope)
        return match.length < settings.shareTokensMin ? PrefixMatch() : match
    }

    /// Whether a sequence of no less priority is decoding a longer common prefix right now: it is
    /// there in a few steps, and to compute it twice takes longer.
    private func isWorthWaiting(_ candidate: ScheduledSequence, beyond length: Int) -> Bool {
        guard candidate.request.usesPrefixCache, settings.sharing != .none else { return false }
        let enough = length + settings.deferralTokensMin
        let tokens = candidate.tokens.dropLast()
        guard tokens.count >= enough else { return false }
        return running.contains { slot in
            guard let other = sequences[Int(slot)], !other.isDecoding, !other.isEnded,
                other.request.usesPrefixCache, other.scope == candidate.scope,
                other.request.priority <= candidate.request.priority
            else { return false }
            return PrefixTree.commonLength(tokens, other.tokens[...]) >= enough
        }
    }

    /// Whether its prompt fits beside what the running sequences have and are still to have.
    private func hasRoom(for candidate: ScheduledSequence, _ match: PrefixMatch) -> Bool {
        guard running.count < settings.runningMax else { return false }
        var needed = tree.neededCells + ownCells + match.idleCells
        needed += candidate.tokens.count - match.length
        for slot in running {
            needed += settings.reserveCells + (sequences[Int(slot)]?.due ?? 0)
        }
        return needed <= settings.cells
    }

    // MARK: Beginning

    /// Gives it a slot, and the cells of a match.
    private mutating func begin(
        _ candidate: ScheduledSequence, at match: PrefixMatch
    ) -> SlotID? {
        guard let slot = slot(for: candidate, at: match),
            var sequence = leaveQueue(candidate.id)
        else { return nil }
        let request = sequence.request
        sequence.slot = slot
        sequence.computed = match.length
        sequence.matched = match.length
        sequence.shared = match.length
        tenants.didBegin(request.tenant)
        counters.recomputedTokens += max(0, sequence.computedMax - match.length)
        if sequence.cachedTokens == nil {
            sequence.cachedTokens = match.length
            let fresh = sequence.promptTokens - match.length
            tenants.charge(request.tenant, settings.promptTokenCost * Double(fresh))
            counters.promptTokens += sequence.promptTokens
            counters.prefixHitTokens += match.length
            events.append(
                SequenceEvent(id: sequence.id, kind: .started(cachedTokens: match.length)))
        }
        running.insert(slot)
        slotsByID[sequence.id] = slot
        if let index = groups.firstIndex(where: { $0.id == sequence.group }) {
            groups[index].running += 1
        }
        sequences[Int(slot)] = sequence
        return slot
    }

    /// A slot that holds the cells of a match and nothing else, preferably one that need not be
    /// copied to.
    private mutating func slot(
        for candidate: ScheduledSequence, at match: PrefixMatch
    ) -> SlotID? {
        if let slot = tree.cachedSlot(endingAt: match) {
            tree.resume(slot, at: match)
            return slot
        }
        if freeSlots.isEmpty, let victim = tree.leastRecentlyUsed {
            if tree.holds(victim, match) {
                operations.append(.cut(victim, from: match.length))
                tree.resume(victim, at: match)
                return victim
            }
            evict(victim)
            // The tree has changed; what the match was of is still there.
            return slot(for: candidate, at: self.match(candidate))
        }
        guard let slot = freeSlots.popLast() else { return nil }
        if let source = tree.holder(of: match) {
            let positions = 0..<TokenPosition(clamping: match.length)
            operations.append(.share(from: source, to: slot, positions: positions))
            // The source is no younger for that: what is common is now held by the new slot, too,
            // and the rest of the source's sequence was of no use.
        }
        if candidate.request.usesPrefixCache, settings.sharing != .none {
            tree.begin(slot, at: match, in: candidate.scope)
        }
        return slot
    }
}
