internal import MartletCore

extension GenerationScheduler {
    /// The engine holds nothing any more: all that runs is computed again, and nothing is cached.
    ///
    /// Bystanders lose time, but never read what is not theirs. If it happens again and again
    /// without a step between, those that run end.
    mutating func forget(_ error: ServingError, now: Duration) {
        lossesInARow += 1
        var none = StepDraft()
        // The oldest is put back last, and so is first again.
        while let victim = leastStanding() {
            if lossesInARow > settings.abortsMax {
                _ = end(victim.standing.id, .failed(error), isKept: false, now: now)
            } else {
                preempt(victim.slot, in: &none)
            }
        }
        if lossesInARow > settings.abortsMax { lossesInARow = 0 }
        while let slot = tree.leastRecentlyUsed { evict(slot) }
        // All of them are of cells that there are no more.
        operations.removeAll()
    }
}
