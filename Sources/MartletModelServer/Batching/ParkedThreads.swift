/// Decides which of the threads that have nothing to do is woken, and when.
///
/// One of them, the lookout, waits for the next instant at which something is due; the others wait
/// to be woken. So a single thread wakes when a batch falls due and not all of them, and one that
/// was woken and has not yet looked is not followed by another for the same work.
struct ParkedThreads<Thread: AnyObject & Sendable>: Sendable {
    private struct Lookout {
        let thread: Thread
        let until: ContinuousClock.Instant
    }

    private var parked: [Thread] = []
    private var lookout: Lookout?
    /// Threads that were woken and have not yet asked for work.
    private var waking = 0

    /// The number of threads that are parked.
    var count: Int { parked.count }

    /// Parks a thread that found nothing to do before an instant.
    ///
    /// - Returns: the instant it is to wake at by itself, `nil` for never.
    mutating func park(
        _ thread: Thread, until: ContinuousClock.Instant?
    ) -> ContinuousClock.Instant? {
        parked.append(thread)
        guard let until, lookout.map({ until < $0.until }) ?? true else { return nil }
        lookout = Lookout(thread: thread, until: until)
        return until
    }

    /// Picks a thread to wake when one must ask for work at an instant, unless one will by then.
    ///
    /// - Parameters:
    ///   - instant: when there is work.
    ///   - now: the time. For work that is there already the lookout is left in its place if
    ///     another can go, or one more would have to be woken to take it.
    /// - Returns: the thread; `nil` when none need be woken, or none is parked.
    mutating func wake(
        by instant: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Thread? {
        guard waking == 0 else { return nil }
        if let lookout, lookout.until <= instant { return nil }
        return takeOne(sparingLookout: instant <= now)
    }

    /// Picks a thread to take the place of the lookout, which went to work, if tasks wait.
    mutating func replaceLookout() -> Thread? {
        guard waking == 0, lookout == nil else { return nil }
        return takeOne(sparingLookout: false)
    }

    /// Picks all threads, to wake them for good.
    mutating func takeAll() -> [Thread] {
        defer {
            waking += parked.count
            parked = []
            lookout = nil
        }
        return parked
    }

    /// Notes that a thread that was picked is about to ask for work.
    mutating func didWake() { waking -= 1 }

    /// Takes out a thread that woke by itself.
    ///
    /// - Returns: whether it was parked; otherwise it was picked meanwhile.
    mutating func unpark(_ thread: Thread) -> Bool {
        guard let index = parked.firstIndex(where: { $0 === thread }) else { return false }
        parked.remove(at: index)
        if lookout?.thread === thread { lookout = nil }
        return true
    }

    private mutating func takeOne(sparingLookout: Bool) -> Thread? {
        let other = sparingLookout ? parked.last { $0 !== lookout?.thread } : nil
        guard let thread = other ?? lookout?.thread ?? parked.last, unpark(thread) else {
            return nil
        }
        waking += 1
        return thread
    }
}
