import MartletCore
import Synchronization

/// How long requests of one kind take: a mean in which the last sixteen or so count.
final class RunTimeEstimate: Sendable {
    private static let memory = 16

    private let nanoseconds = Atomic<Int>(0)

    /// What the next is expected to take; zero before the first.
    var expected: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }

    /// Runs something, and learns from it.
    func measuring(_ run: () -> Void) {
        let start = ContinuousClock.now
        run()
        didRun(ContinuousClock.now - start)
    }

    /// Learns from a run.
    ///
    /// Of two that end at once one may be lost, which the mean can bear.
    func didRun(_ time: Duration) {
        let took = Int(min(max(0, time.seconds), 86_400) * 1e9)
        let mean = nanoseconds.load(ordering: .relaxed)
        let next = mean == 0 ? took : mean + (took - mean) / RunTimeEstimate.memory
        nanoseconds.store(max(1, next), ordering: .relaxed)
    }
}
