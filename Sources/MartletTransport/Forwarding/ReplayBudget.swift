import Synchronization

/// Memory that all exchanges together may keep for another attempt.
final class ReplayBudget: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(bytes: Int) {
        limit = bytes
    }

    /// Takes `bytes` out of the budget; `false`, and nothing taken, when it has not so many.
    func reserve(_ bytes: Int) -> Bool {
        let (_, after) = used.wrappingAdd(bytes, ordering: .relaxed)
        if after <= limit { return true }
        release(bytes)
        return false
    }

    /// Gives `bytes` back.
    func release(_ bytes: Int) {
        used.wrappingSubtract(bytes, ordering: .relaxed)
    }
}

/// A part of the budget that is kept until what stands for it has left; given back with its last
/// reference.
final class KeptMemory: Sendable {
    let bytes: Int
    private let budget: ReplayBudget

    /// Takes over bytes that were reserved.
    init(bytes: Int, of budget: ReplayBudget) {
        self.bytes = bytes
        self.budget = budget
    }

    deinit { budget.release(bytes) }
}
