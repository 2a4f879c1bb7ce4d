extension GenerationScheduler {
    /// Cells that hold nothing once a step is done.
    func freeCells(beside draft: StepDraft) -> Int {
        settings.cells - tree.cells - ownCells - draft.tokens
    }

    /// Makes room for one more token of a sequence, at the cost of cached ones and of running ones
    /// of less standing.
    ///
    /// - Returns: whether there is room.
    mutating func makeRoom(for standing: Standing, in draft: inout StepDraft) -> Bool {
        while evict(untilFree: 1, draft) < 1 {
            guard let victim = leastStanding(), standing < victim.standing else { return false }
            preempt(victim.slot, in: &draft)
        }
        return true
    }

    /// Gives up cached sequences until so many cells are free, or there are none.
    ///
    /// - Returns: how many are free.
    mutating func evict(untilFree count: Int, _ draft: StepDraft) -> Int {
        while freeCells(beside: draft) < count, let victim = tree.leastRecentlyUsed {
            evict(victim)
        }
        return max(0, freeCells(beside: draft))
    }

    /// Gives up a cached sequence.
    mutating func evict(_ slot: SlotID) {
        tree.remove(slot)
        clear(slot)
        counters.evictions += 1
    }

    /// The running sequence that gives way first.
    func leastStanding() -> (standing: Standing, slot: SlotID)? {
        var least: (standing: Standing, slot: SlotID)?
        for slot in running {
            guard let sequence = sequences[Int(slot)] else { continue }
            let standing = sequence.standing
            if let least, standing < least.standing { continue }
            least = (standing, slot)
        }
        return least
    }

    /// A running sequence goes back to the head of its queue, to be computed again.
    mutating func preempt(_ slot: SlotID, in draft: inout StepDraft) {
        draft.remove(slot)
        guard var sequence = leave(slot) else { return }
        counters.preemptions += 1
        sequence.slot = -1
        sequence.computed = 0
        sequence.shared = 0
        tenants.didPreempt(sequence.request.tenant)
        wait(sequence, isFirst: true)
    }

    // MARK: Leaving a slot

    /// Takes a sequence out of its slot, whose cells are kept for their prefix if that is of use.
    mutating func leave(_ slot: SlotID, isKept: Bool = true) -> ScheduledSequence? {
        guard var sequence = sequences[Int(slot)] else { return nil }
        share(&sequence)
        sequence.computedMax = max(sequence.computedMax, sequence.computed)
        sequences[Int(slot)] = nil
        slotsByID[sequence.id] = nil
        running.remove(slot)
        if let index = groups.firstIndex(where: { $0.id == sequence.group }) {
            groups[index].running -= 1
        }
        ownCells -= sequence.ownCells
        let isOfUse = tree.settle(slot)
        if !isOfUse || !isKept {
            tree.remove(slot)
            clear(slot)
        }
        return sequence
    }

    /// Lets the prefix tree know what a sequence has computed.
    mutating func share(_ sequence: inout ScheduledSequence) {
        let (slot, first) = (sequence.slot, sequence.shared)
        guard first < sequence.computed, tree.running.contains(slot) else { return }
        let fresh = sequence.tokens[first..<sequence.computed]
        let (duplicates, source) = tree.extend(slot, with: fresh)
        ownCells -= fresh.count
        sequence.shared = sequence.computed
        // Copies cannot be exchanged, nor need they be: each slot has cells of its own.
        guard let source, duplicates > 0, settings.sharing == .byReference else { return }
        let end = TokenPosition(clamping: first + duplicates)
        let positions = TokenPosition(clamping: first)..<end
        operations.append(.remove(slot, positions: positions))
        operations.append(.share(from: source, to: slot, positions: positions))
    }

    private mutating func clear(_ slot: SlotID) {
        operations.append(.clear(slot))
        freeSlots.append(slot)
    }
}
