internal import DequeModule
internal import Dispatch
internal import Foundation
public import MartletCore
internal import Synchronization

/// A fixed set of threads that run blocking work in order of arrival, behind a bounded queue.
///
/// Engines run here so that event loops never block. The queue is where requests wait: an engine
/// given more concurrency than cores only gets slower (measured, see the engines' notes). A job
/// whose turn would come too late is refused at the door, rather than run for nobody.
public final class EngineThreads: Sendable {
    /// A piece of work.
    ///
    /// It runs exactly once.
    public typealias Job = @Sendable () -> Void

    /// A job that waits, and what it is expected to take, in nanoseconds.
    private struct Entry {
        let job: Job
        let cost: Int
    }

    private struct State {
        var queue: Deque<Entry> = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let finished = DispatchGroup()
    private let busy = Atomic<UInt64>(0)
    /// What the jobs that wait or run are expected to take, in nanoseconds.
    private let backlog = Atomic<Int>(0)
    private let capacity: Int

    /// The number of threads.
    public let count: Int

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - count: number of threads, at least 1.
    ///   - capacity: jobs that may wait; one more is refused.
    ///   - name: the threads' name in debuggers and profiles.
    ///   - niceness: how far the threads stand back when cores are short, 0 to 19.
    public init(count: Int, capacity: Int, name: String, niceness: Int = 0) {
        self.count = max(1, count)
        self.capacity = capacity
        // Before there are threads that stand back, for what they will start.
        if niceness > 0 { _ = ThreadStarter.shared }
        for _ in 0..<self.count {
            finished.enter()
            let thread = Thread { [self] in
                // Of the calling thread alone, on Linux. Without it the work is as urgent as any.
                if niceness > 0 {
                    _ = setpriority(.init(PRIO_PROCESS.rawValue), 0, Int32(niceness))
                }
                work()
                finished.leave()
            }
            thread.name = name
            thread.start()
        }
    }

    /// Queues a job.
    ///
    /// - Parameters:
    ///   - isBounded: `false` for the rest of work that was taken in before, which the bound does
    ///     not concern.
    ///   - expected: how long the job runs, as far as is known.
    ///   - deadline: when its result must be there.
    ///   - job: the work.
    /// - Throws: `ServingError`: `RESOURCE_EXHAUSTED` when the queue is full, or those before the
    ///   job leave it too little time; `UNAVAILABLE` once ``shutDown()`` was called.
    public func submit(
        isBounded: Bool = true, expected: Duration = .zero, deadline: Deadline = .never,
        _ job: @escaping Job
    ) throws {
        // No run takes longer than a day, and sums of such days stay numbers.
        let cost = Int(min(max(0, expected.seconds), 86_400) * 1e9)
        if isBounded { try check(cost: cost, deadline: deadline) }
        try state.withLock { state in
            guard !state.isClosed else {
                throw ServingError(.unavailable, "The server is shutting down")
            }
            guard !isBounded || state.queue.count < capacity else {
                throw ServingError(
                    .resourceExhausted,
                    "The request queue is full: \(capacity) requests are waiting "
                        + "(--queue-capacity). Try again later or add nodes")
            }
            backlog.wrappingAdd(cost, ordering: .relaxed)
            state.queue.append(Entry(job: job, cost: cost))
        }
        available.signal()
    }

    /// Refuses a job that would end behind its deadline for what is before it.
    ///
    /// What runs counts as if it had just begun, so that a job that is taken in has some time to
    /// spare. Where nothing is before it a job is never refused: it may be faster than others were.
    private func check(cost: Int, deadline: Deadline) throws {
        guard let instant = deadline.instant else { return }
        let before = backlog.load(ordering: .relaxed)
        guard before > 0 else { return }
        let wait = Duration.nanoseconds(before / count &+ cost)
        let left = instant - .now
        guard wait > left else { return }
        let late = max(.milliseconds(1), wait - max(.zero, left))
        throw ServingError(
            .resourceExhausted,
            "The request would be answered in \(wait.milliseconds) ms, after its deadline in "
                + "\(max(.zero, left).milliseconds) ms. Try again in \(late.milliseconds) ms or "
                + "add nodes")
    }

    /// The number of jobs that wait.
    public var queueDepth: Int { state.withLock { $0.queue.count } }

    /// Time the threads have spent running jobs, summed over all of them, in nanoseconds.
    public var busyNanoseconds: UInt64 { busy.load(ordering: .relaxed) }

    /// Takes no more jobs, runs those queued and ends the threads.
    ///
    /// Blocks until they ended.
    public func shutDown() {
        state.withLock { $0.isClosed = true }
        for _ in 0..<count { available.signal() }
        finished.wait()
    }

    private func work() {
        while true {
            available.wait()
            // Every job has its own signal, so an empty queue means that this one came from
            // shutDown.
            guard let entry = state.withLock({ $0.queue.popFirst() }) else { return }
            let start = DispatchTime.now().uptimeNanoseconds
            entry.job()
            backlog.wrappingSubtract(entry.cost, ordering: .relaxed)
            let end = DispatchTime.now().uptimeNanoseconds
            busy.wrappingAdd(end &- start, ordering: .relaxed)
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up.
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
