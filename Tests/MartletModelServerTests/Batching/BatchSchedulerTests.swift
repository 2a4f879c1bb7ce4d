import Dispatch
import MartletCore
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Batch scheduler", .timeLimit(.minutes(10)))
struct BatchSchedulerTests {
    private let scheduler = BatchScheduler()
    private let outcomes = BatchOutcomes()
    private let model = DoublingModel()

    private func parameters(
        _ change: (inout BatchingParameters) -> Void = { _ in }
    ) -> BatchingParameters {
        var parameters = BatchingParameters()
        parameters.numBatchThreads = 1
        change(&parameters)
        return parameters
    }

    private func makeQueue(
        _ parameters: BatchingParameters, in scheduler: BatchScheduler? = nil
    ) throws -> BatchQueue {
        try (scheduler ?? self.scheduler).makeQueue(name: "test", parameters: parameters) {
            [model] in
            try model.run($0, $1)
        }
    }

    /// A queue whose engine stands still, with a first task in it, until `release` is signalled.
    private struct Blocked {
        let queue: BatchQueue
        let release = DispatchSemaphore(value: 0)

        init(
            _ scheduler: BatchScheduler, _ parameters: BatchingParameters, _ model: DoublingModel,
            _ first: BatchTask
        ) throws {
            let started = DispatchSemaphore(value: 0)
            let gate = Gate()
            queue = try scheduler.makeQueue(name: "blocked", parameters: parameters) {
                [release] inputs, outputs in
                if gate.passFirst() {
                    started.signal()
                    release.wait()
                }
                return try model.run(inputs, outputs)
            }
            queue.submit(first)
            started.wait()
        }
    }

    private final class Gate: Sendable {
        private let isFirst = Atomic<Bool>(true)
        func passFirst() -> Bool { isFirst.exchange(false, ordering: .sequentiallyConsistent) }
    }

    @Test func aTask_isAnswered() throws {
        let queue = try makeQueue(parameters())
        let done = DispatchSemaphore(value: 0)
        queue.submit(outcomes.task("a", try BatchTensors.column([1, 2])) { done.signal() })
        done.wait()
        #expect(BatchTensors.numbers(outcomes["a"]) == [2, 4])
        scheduler.shutDown()
    }

    @Test func tasksThatComeWhileTheEngineIsBusy_runTogether() throws {
        let blocked = try Blocked(
            scheduler, parameters(), model, outcomes.task("first", BatchTensors.column([1])))
        for number in 2...5 {
            blocked.queue.submit(
                outcomes.task("\(number)", try BatchTensors.column([Float(number)])))
        }
        #expect(blocked.queue.queuedTasks == 4)
        #expect(blocked.queue.queuedRows == 4)
        #expect(scheduler.queuedTasks == 4)
        blocked.release.signal()
        scheduler.shutDown()
        #expect(model.runs.map(\.rows) == [[1], [2, 3, 4, 5]])
        #expect(BatchTensors.numbers(outcomes["5"]) == [10])
    }

    @Test func aBatchThatIsNotFull_runsAfterItsTimeout() throws {
        let queue = try makeQueue(parameters { $0.batchTimeoutMicros = 20_000 })
        let done = DispatchSemaphore(value: 0)
        let start = ContinuousClock.now
        queue.submit(outcomes.task("a", try BatchTensors.column([1])) { done.signal() })
        done.wait()
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        scheduler.shutDown()
    }

    @Test func aFullBatch_doesNotWaitForItsTimeout() throws {
        let queue = try makeQueue(
            parameters {
                $0.batchTimeoutMicros = .max
                $0.maxBatchSize = 2
            })
        let done = DispatchSemaphore(value: 0)
        for name in ["a", "b"] {
            queue.submit(outcomes.task(name, try BatchTensors.column([1])) { done.signal() })
        }
        done.wait()
        done.wait()
        #expect(model.runs.map(\.rows) == [[1, 1]])
        scheduler.shutDown()
    }

    @Test func aTaskThatExpiresWhileAllThreadsAreBusy_endsWithoutThem() throws {
        let blocked = try Blocked(
            scheduler, parameters(), model, outcomes.task("first", BatchTensors.column([1])))
        let done = DispatchSemaphore(value: 0)
        blocked.queue.submit(
            outcomes.task(
                "late", try BatchTensors.column([2]), deadline: .after(.milliseconds(5))
            ) { done.signal() })
        done.wait()
        #expect(BatchTensors.error(outcomes["late"])?.code == .deadlineExceeded)
        #expect(outcomes["first"] == nil)
        blocked.release.signal()
        scheduler.shutDown()
        #expect(model.runs.map(\.rows) == [[1]])
    }

    @Test func aTaskThatIsCancelled_endsAndNeverReachesTheEngine() throws {
        let blocked = try Blocked(
            scheduler, parameters(), model, outcomes.task("first", BatchTensors.column([1])))
        let ticket = blocked.queue.submit(outcomes.task("a", try BatchTensors.column([2])))
        ticket.cancel()
        #expect(BatchTensors.error(outcomes["a"])?.code == .cancelled)
        #expect(blocked.queue.queuedTasks == 0)
        ticket.cancel()
        blocked.release.signal()
        scheduler.shutDown()
        ticket.cancel()
        #expect(model.runs.map(\.rows) == [[1]])
        #expect(outcomes.counts == ["first": 1, "a": 1])
    }

    @Test func aTaskThatIsCancelledBehindItsDeadline_hasExpired() throws {
        let task = PendingTask(
            outcomes.task("a", try BatchTensors.column([2]), deadline: .after(.seconds(-1))),
            rows: 1, arrival: .now)
        #expect(task.reasonToLeave.code == .deadlineExceeded)
    }

    @Test func aTaskThatIsCancelledWhileItRuns_endsAtOnceAndOnce() throws {
        let started = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        let queue = try scheduler.makeQueue(name: "test", parameters: parameters()) {
            [model] inputs, outputs in
            started.signal()
            release.wait()
            return try model.run(inputs, outputs)
        }
        let ticket = queue.submit(outcomes.task("a", try BatchTensors.column([2])))
        started.wait()
        ticket.cancel()
        #expect(BatchTensors.error(outcomes["a"])?.code == .cancelled)
        release.signal()
        scheduler.shutDown()
        #expect(outcomes.counts == ["a": 1])
    }

    @Test func tasksThatCannotBeTaken_endBeforeSubmitReturns() throws {
        let queue = try makeQueue(parameters { $0.maxBatchSize = 2 })
        queue.submit(outcomes.task("large", try BatchTensors.column([1, 2, 3])))
        #expect(
            BatchTensors.error(outcomes["large"])?.message
                == "Task size 3 is larger than maximum input batch size 2")
        queue.submit(outcomes.task("none", []))
        #expect(BatchTensors.error(outcomes["none"])?.code == .invalidArgument)
        queue.submit(outcomes.task("late", try BatchTensors.column([1]), deadline: .after(.zero)))
        #expect(BatchTensors.error(outcomes["late"])?.code == .deadlineExceeded)
        scheduler.shutDown()
        queue.submit(outcomes.task("closed", try BatchTensors.column([1])))
        #expect(BatchTensors.error(outcomes["closed"])?.code == .unavailable)
        #expect(model.runs.isEmpty)
    }

    @Test func aLargeTask_isSpreadOverBatchesAndComesBackWhole() throws {
        let queue = try makeQueue(
            parameters {
                $0.enableLargeBatchSplitting = true
                $0.maxBatchSize = 100
                $0.maxExecutionBatchSize = 4
                $0.numBatchThreads = 3
            })
        let rows = (0..<40).map(Float.init)
        let done = DispatchSemaphore(value: 0)
        queue.submit(outcomes.task("a", try BatchTensors.column(rows)) { done.signal() })
        done.wait()
        #expect(BatchTensors.numbers(outcomes["a"]) == rows.map { $0 * 2 })
        scheduler.shutDown()
        #expect(model.runs.count == 10)
    }

    @Test func batchesThatAreReadyTogether_runAtOnce() throws {
        let arrived = DispatchSemaphore(value: 0)
        let together = DispatchSemaphore(value: 0)
        let parameters = parameters {
            $0.numBatchThreads = 3
            $0.maxExecutionBatchSize = 1
            $0.enableLargeBatchSplitting = true
        }
        let run = BatchRun(
            engine: { [model] inputs, outputs in
                arrived.signal()
                together.wait()
                return try model.run(inputs, outputs)
            }, parameters: parameters, report: { _ in })
        let pool = BatchPool(name: "test")
        let queue = try pool.open(
            parameters, label: BatchQueueLabel(name: "m/s", threadPoolName: "test"), run: run
        ) { _ in }
        while pool.idleThreads < 4 {}
        // One task of three batches: a thread that takes one has to wake another for the next.
        let task = outcomes.task("a", try BatchTensors.column([1, 2, 3]))
        _ = try pool.submit(PendingTask(task, rows: 3, arrival: .now), to: queue)
        for _ in 0..<3 { #expect(arrived.wait(timeout: .now() + 120) == .success) }
        for _ in 0..<3 { together.signal() }
        pool.shutDown()
        #expect(BatchTensors.numbers(outcomes["a"]) == [2, 4, 6])
    }

    @Test func aQueueThatIsClosed_runsWhatItHasAndThenSaysSo() throws {
        let queue = try makeQueue(parameters { $0.batchTimeoutMicros = .max })
        let drained = DispatchSemaphore(value: 0)
        queue.submit(outcomes.task("a", try BatchTensors.column([1])))
        queue.close { drained.signal() }
        drained.wait()
        #expect(BatchTensors.numbers(outcomes["a"]) == [2])
        queue.submit(outcomes.task("b", try BatchTensors.column([1])))
        #expect(BatchTensors.error(outcomes["b"])?.code == .unavailable)
        queue.close { drained.signal() }
        drained.wait()
        scheduler.shutDown()
    }

    @Test func aQueueThatNobodyHolds_closesItself() throws {
        var queue: BatchQueue? = try makeQueue(parameters { $0.batchTimeoutMicros = .max })
        let done = DispatchSemaphore(value: 0)
        queue?.submit(outcomes.task("a", try BatchTensors.column([1])) { done.signal() })
        queue = nil
        done.wait()
        #expect(BatchTensors.numbers(outcomes["a"]) == [2])
        scheduler.shutDown()
    }

    @Test func queues_ofOnePool_shareItsThreads() throws {
        let blocked = try Blocked(
            scheduler, parameters(), model, outcomes.task("first", BatchTensors.column([1])))
        let other = try makeQueue(parameters())
        let elsewhere = try makeQueue(parameters { $0.threadPoolName = "another" })
        let done = DispatchSemaphore(value: 0)
        other.submit(outcomes.task("waits", try BatchTensors.column([2])))
        elsewhere.submit(outcomes.task("runs", try BatchTensors.column([3])) { done.signal() })
        done.wait()
        #expect(outcomes["waits"] == nil)
        #expect(scheduler.threads == 2)
        blocked.release.signal()
        scheduler.shutDown()
        #expect(BatchTensors.numbers(outcomes["waits"]) == [4])
    }

    @Test func shutDown_runsWhatIsQueuedAndRefusesNewQueues() throws {
        let queue = try makeQueue(parameters { $0.batchTimeoutMicros = .max })
        queue.submit(outcomes.task("a", try BatchTensors.column([1])))
        scheduler.shutDown()
        #expect(BatchTensors.numbers(outcomes["a"]) == [2])
        let error = #expect(throws: ServingError.self) { try makeQueue(parameters()) }
        #expect(error?.code == .unavailable)
    }

    @Test func parametersThatAreNotValid_makeNoQueue() {
        let error = #expect(throws: ServingError.self) {
            try makeQueue(parameters { $0.maxBatchSize = 0 })
        }
        #expect(error?.code == .invalidArgument)
        scheduler.shutDown()
    }

    @Test func whatHappens_isReported() throws {
        let observer = Observer()
        let scheduler = BatchScheduler(observer: observer)
        let queue = try makeQueue(
            parameters {
                $0.maxBatchSize = 4
                $0.allowedBatchSizes = [4]
            }, in: scheduler)
        queue.submit(outcomes.task("a", try BatchTensors.column([1, 2, 3])))
        scheduler.shutDown()
        #expect(observer.enqueued == [3])
        #expect(observer.dequeues == 1)
        #expect(
            observer.runs == [BatchMeasurement(tasks: 1, rows: 3, paddingRows: 1, succeeded: true)])
        #expect(scheduler.busyNanoseconds > 0)
    }

    private final class Observer: BatchObserver {
        private let state = Mutex<(rows: [Int], waits: Int, runs: [BatchMeasurement])>(([], 0, []))
        var enqueued: [Int] { state.withLock { $0.rows } }
        var dequeues: Int { state.withLock { $0.waits } }
        var runs: [BatchMeasurement] { state.withLock { $0.runs } }

        func didEnqueue(rows: Int, in queue: BatchQueueLabel) {
            state.withLock { $0.rows.append(rows) }
        }

        func didDequeue(after wait: Duration, from queue: BatchQueueLabel) {
            state.withLock { $0.waits += wait >= .zero ? 1 : 0 }
        }

        func didRun(_ batch: BatchMeasurement, in queue: BatchQueueLabel) {
            state.withLock { $0.runs.append(batch) }
        }
    }

    /// Clients on several threads, deadlines, cancellations, queues that close and a shutdown in
    /// the middle: each task ends exactly once, and what it gets is its own.
    @Test func everyTask_endsExactlyOnceWhateverHappens() throws {
        for round in 0..<40 {
            let scheduler = BatchScheduler()
            let outcomes = BatchOutcomes()
            let queues = try (0..<3).map { index in
                try makeQueue(
                    parameters {
                        $0.numBatchThreads = 2
                        $0.maxBatchSize = 8
                        $0.batchTimeoutMicros = index * 200
                        $0.enableLargeBatchSplitting = index == 1
                        if index == 1 { $0.maxExecutionBatchSize = 3 }
                        if index == 2 { $0.targetLatency = .milliseconds(20) }
                    }, in: scheduler)
            }
            DispatchQueue.concurrentPerform(iterations: 5) { client in
                guard client > 0 else {
                    queues[0].close()
                    if round.isMultiple(of: 2) { scheduler.shutDown() }
                    return
                }
                for number in 0..<30 {
                    let value = Float(client * 1000 + number)
                    guard let inputs = try? BatchTensors.column([value, value + 1]) else { return }
                    let deadline =
                        number % 5 == 0 ? Deadline.after(.microseconds(100)) : Deadline.never
                    let task = outcomes.task("\(value)", inputs, deadline: deadline)
                    let ticket = queues[number % 3].submit(task)
                    if number % 7 == 0 { ticket.cancel() }
                }
            }
            scheduler.shutDown()
            let counts = outcomes.counts
            #expect(counts.count == 120, "round \(round): a task was lost")
            #expect(counts.values.allSatisfy { $0 == 1 }, "round \(round): a task ended twice")
            for name in counts.keys {
                guard let answer = BatchTensors.numbers(outcomes[name]), let value = Float(name)
                else { continue }
                #expect(answer == [value * 2, value * 2 + 2])
            }
        }
    }
}
