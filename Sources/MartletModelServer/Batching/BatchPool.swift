import Dispatch
import Foundation
import MartletCore
import Synchronization

/// The threads that run the batches of several queues.
///
/// There is one more of them than batches may run at once, so that one always keeps the time: it
/// ends tasks that expire while all others are in the engine.
final class BatchPool: Sendable {
    /// What a thread waits on while it has nothing to do.
    private final class Parker: Sendable {
        let semaphore = DispatchSemaphore(value: 0)
    }

    private struct OpenQueue {
        let label: BatchQueueLabel
        let run: BatchRun
        let didDequeue: @Sendable (Duration) -> Void
        var whenDrained: [@Sendable () -> Void] = []
    }

    private struct State {
        var queues = BatchQueues<PendingTask>(capacity: 0)
        var open: [QueueID: OpenQueue] = [:]
        var parked = ParkedThreads<Parker>()
        var threads = 0
        var isStopping = false
    }

    /// What is left to be done once the state is unlocked.
    private struct Aftermath {
        var expired: [PendingTask] = []
        var drained: [@Sendable () -> Void] = []
        var woken: [Parker] = []

        func perform() {
            for parker in woken { parker.semaphore.signal() }
            for task in expired { task.end(.failure(BatchingErrors.expired)) }
            for callback in drained { callback() }
        }
    }

    /// What a thread does next.
    private enum Step {
        case run(BatchQueues<PendingTask>.Batch, OpenQueue?)
        case park(until: ContinuousClock.Instant?)
        case stop
    }

    /// A batch that has run, which the queues do not know of yet.
    private struct Finished {
        let batch: BatchQueues<PendingTask>.Batch
        let outcome: BatchOutcome
    }

    private let name: String
    private let state = Mutex(State())
    private let finished = DispatchGroup()
    private let busy = Atomic<UInt64>(0)

    init(name: String) { self.name = name }

    /// Tasks that wait.
    var waiting: Int { state.withLock { $0.queues.waiting } }

    /// Threads that wait for something to do.
    var idleThreads: Int { state.withLock { $0.parked.count } }

    /// Batches that may run at once.
    var capacity: Int { state.withLock { $0.queues.capacity } }

    /// Time spent in the engine, summed over the threads, in nanoseconds.
    var busyNanoseconds: UInt64 { busy.load(ordering: .relaxed) }

    // MARK: Queues

    /// Opens a queue and starts the threads it asks for beyond those there are.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) once ``shutDown()`` was called.
    func open(
        _ parameters: BatchingParameters, label: BatchQueueLabel, run: BatchRun,
        didDequeue: @escaping @Sendable (Duration) -> Void
    ) throws -> QueueID {
        let (id, starting) = try state.withLock { state in
            guard !state.isStopping else {
                throw ServingError(.unavailable, "The server is shutting down")
            }
            let id = state.queues.open(QueueLimits(parameters))
            state.open[id] = OpenQueue(label: label, run: run, didDequeue: didDequeue)
            state.queues.capacity = max(state.queues.capacity, parameters.numBatchThreads)
            let starting = state.queues.capacity + 1 - state.threads
            state.threads += starting
            for _ in 0..<starting { finished.enter() }
            return (id, starting)
        }
        for _ in 0..<starting { startThread() }
        return id
    }

    /// Closes a queue; `whenDrained` is called once its last task has ended.
    func close(_ id: QueueID, whenDrained: @escaping @Sendable () -> Void) {
        let now = ContinuousClock.now
        let aftermath = state.withLock { state -> Aftermath in
            var aftermath = Aftermath()
            guard state.open[id] != nil else {
                aftermath.drained.append(whenDrained)
                return aftermath
            }
            state.open[id]?.whenDrained.append(whenDrained)
            if state.queues.close(id) {
                forget(id, &state, &aftermath)
            } else if let thread = state.parked.wake(by: now, now: now) {
                // What waited for its batch to fill runs at once.
                aftermath.woken.append(thread)
            }
            return aftermath
        }
        aftermath.perform()
    }

    /// Tasks and rows that wait in a queue.
    func length(of id: QueueID) -> (tasks: Int, rows: Int) {
        state.withLock { $0.queues.length(of: id) }
    }

    /// What the adaptive queues have learned.
    var knowledge: [(label: BatchQueueLabel, knowledge: BatchKnowledge)] {
        state.withLock { state in
            state.open.compactMap { id, queue in
                state.queues.knowledge(of: id).map { (queue.label, $0) }
            }
        }
    }

    // MARK: Tasks

    /// Queues a task.
    ///
    /// - Throws: `ServingError` when it is not taken.
    func submit(_ task: PendingTask, to id: QueueID) throws -> TaskID {
        var aftermath = Aftermath()
        defer { aftermath.perform() }
        return try state.withLock { state in
            removeExpired(&state, now: task.arrival, &aftermath)
            let (number, attention) = try state.queues.submit(
                task, to: id, size: task.rows, deadline: task.deadline, terms: task.terms,
                now: task.arrival)
            if let attention, let thread = state.parked.wake(by: attention, now: task.arrival) {
                aftermath.woken.append(thread)
            }
            return number
        }
    }

    /// Takes a task out of its queue if it waits.
    func cancel(_ task: TaskID) {
        let aftermath = state.withLock { state -> Aftermath in
            var aftermath = Aftermath()
            if state.queues.cancel(task).queueIsDone { forget(task.queue, &state, &aftermath) }
            return aftermath
        }
        aftermath.perform()
    }

    /// Closes all queues, runs what they hold and ends the threads.
    ///
    /// Blocks until they ended, so never call it on one of them.
    func shutDown() {
        let (aftermath, threads) = state.withLock { state -> (Aftermath, [Parker]) in
            var aftermath = Aftermath()
            state.isStopping = true
            for id in Array(state.open.keys) where state.queues.close(id) {
                forget(id, &state, &aftermath)
            }
            return (aftermath, state.parked.takeAll())
        }
        for thread in threads { thread.semaphore.signal() }
        aftermath.perform()
        finished.wait()
    }

    // MARK: Threads

    private func startThread() {
        let thread = Thread { [self] in
            work()
            finished.leave()
        }
        thread.name = name
        thread.start()
    }

    private func work() {
        let parker = Parker()
        var wasPicked = false
        var finished: Finished?
        while true {
            switch nextStep(parker, wasPicked: wasPicked, after: finished) {
            case .run(let batch, let queue):
                finished = Finished(batch: batch, outcome: run(batch, in: queue))
                wasPicked = false
                continue
            case .park(let until):
                wasPicked = park(parker, until: until)
            case .stop:
                return
            }
            finished = nil
        }
    }

    /// Notes what the thread did last, and finds what it does next.
    private func nextStep(
        _ parker: Parker, wasPicked: Bool, after finished: Finished?
    ) -> Step {
        var aftermath = Aftermath()
        defer { aftermath.perform() }
        return state.withLock { state in
            if wasPicked { state.parked.didWake() }
            if let finished, state.queues.didRun(finished.batch, finished.outcome) {
                forget(finished.batch.queue, &state, &aftermath)
            }
            let now = ContinuousClock.now
            removeExpired(&state, now: now, &aftermath)
            switch state.queues.next(now: now) {
            case .run(let batch):
                if state.queues.waiting > 0, let thread = state.parked.replaceLookout() {
                    aftermath.woken.append(thread)
                }
                return .run(batch, state.open[batch.queue])
            case .wait(let until):
                if state.isStopping, state.queues.waiting == 0 {
                    aftermath.woken += state.parked.takeAll()
                    return .stop
                }
                return .park(until: state.parked.park(parker, until: until))
            }
        }
    }

    /// Waits to be picked or for an instant; `true` when it was picked.
    private func park(_ parker: Parker, until: ContinuousClock.Instant?) -> Bool {
        guard let until else {
            parker.semaphore.wait()
            return true
        }
        let wait = max(0, min((until - .now).seconds, 3600))
        if parker.semaphore.wait(timeout: .now() + wait) == .success { return true }
        if state.withLock({ $0.parked.unpark(parker) }) { return false }
        // It was picked after all: the signal is on its way.
        parker.semaphore.wait()
        return true
    }

    private func run(
        _ batch: BatchQueues<PendingTask>.Batch, in queue: OpenQueue?
    ) -> BatchOutcome {
        let start = ContinuousClock.now
        var executedRows: Int?
        if let queue {
            for slice in batch.slices where slice.rows.lowerBound == 0 {
                queue.didDequeue(start - slice.payload.arrival)
            }
            executedRows = queue.run.run(batch.slices)
        } else {
            // A queue is open as long as it has tasks; should it not be, they still end.
            let error = ServingError(.internal, "A batch has lost its queue")
            for slice in batch.slices { slice.payload.end(.failure(error)) }
        }
        let end = ContinuousClock.now
        let nanoseconds = (end - start) / .nanoseconds(1)
        busy.wrappingAdd(UInt64(max(0, nanoseconds)), ordering: .relaxed)
        return BatchOutcome(executedRows: executedRows, time: end - start, end: end)
    }

    // MARK: Under the lock

    private func removeExpired(
        _ state: inout State, now: ContinuousClock.Instant, _ aftermath: inout Aftermath
    ) {
        let (expired, done) = state.queues.removeExpired(now: now)
        aftermath.expired += expired
        for id in done { forget(id, &state, &aftermath) }
    }

    private func forget(_ id: QueueID, _ state: inout State, _ aftermath: inout Aftermath) {
        guard let queue = state.open.removeValue(forKey: id) else { return }
        aftermath.drained += queue.whenDrained
    }
}
