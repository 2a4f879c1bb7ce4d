import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Run pace")
struct RunPaceTests {
    private let start = ContinuousClock.now

    private func pace(after seconds: [Double]) -> RunPace {
        var pace = RunPace()
        for run in seconds { pace.didRun(seconds: run) }
        return pace
    }

    @Test func runs_areNotShortBeforeTheyAreKnown() {
        #expect(!pace(after: []).isShort)
        #expect(!pace(after: [0.0001]).isShort)
    }

    @Test func runs_areShortOnceMostAre() {
        let short = [Double](repeating: 0.0001, count: 100)
        #expect(pace(after: short).isShort)
        #expect(pace(after: short + [1, 1]).isShort, "few slow runs say nothing")
        #expect(!pace(after: short + [Double](repeating: 0.01, count: 40)).isShort)
    }

    /// Queues of two threads, one of which began a batch, whose batches took so long so far.
    private func busyQueues(
        runSeconds: Double
    ) throws -> (queues: BatchQueues<String>, queue: QueueID) {
        var queues = BatchQueues<String>(capacity: 2)
        let queue = queues.open(
            QueueLimits(
                taskRows: 1, batchRows: 1, enqueuedBatches: 10, timeout: .zero, splitsTasks: false))
        for run in 0...100 {
            _ = try queues.submit("", to: queue, size: 1, deadline: .never, now: start)
            guard case .run(let batch) = queues.next(now: start), run < 100 else { break }
            let time = Duration.seconds(runSeconds)
            _ = queues.didRun(batch, BatchOutcome(executedRows: 1, time: time, end: start))
        }
        return (queues, queue)
    }

    @Test(arguments: [
        (runSeconds: 0.0001, laterMicroseconds: 100, wakes: false),
        (0.0001, 1000, true),  // The run takes longer than usual.
        (0.01, 100, true),
    ])
    func task_duringARun_wakesAThreadUnlessOneIsBackSoon(
        runSeconds: Double, laterMicroseconds: Int, wakes: Bool
    ) throws {
        var (queues, queue) = try busyQueues(runSeconds: runSeconds)
        let attention = try queues.submit(
            "", to: queue, size: 1, deadline: .never,
            now: start + .microseconds(laterMicroseconds)
        ).attention
        #expect((attention != nil) == wakes)
    }

    @Test func task_duringAShortRun_isStillAttendedToAtItsDeadline() throws {
        var (queues, queue) = try busyQueues(runSeconds: 0.0001)
        let deadline = Deadline(instant: start + .milliseconds(5))
        let attention = try queues.submit(
            "", to: queue, size: 1, deadline: deadline, now: start
        ).attention
        #expect(attention == start + .milliseconds(5))
    }
}
