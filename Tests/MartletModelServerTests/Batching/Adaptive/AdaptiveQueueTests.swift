import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Adaptive queue")
final class AdaptiveQueueTests {
    private let start = ContinuousClock.now
    private var queues = BatchQueues<String>(capacity: 1)
    private var running: BatchQueues<String>.Batch?

    private func at(_ milliseconds: Double) -> ContinuousClock.Instant {
        start + .microseconds(Int(milliseconds * 1000))
    }

    private func open(rows: Int = 100, target: Double = 0.05) -> QueueID {
        queues.open(.adaptive(target: target, rows: rows))
    }

    @discardableResult
    private func submit(
        _ name: String, to queue: QueueID, size: Int = 1, at milliseconds: Double = 0,
        deadline: Double? = nil, _ terms: TaskTerms = TaskTerms()
    ) throws -> TaskID {
        try queues.submit(
            name, to: queue, size: size,
            deadline: deadline.map { Deadline(instant: at($0)) } ?? .never, terms: terms,
            now: at(milliseconds)
        ).task
    }

    /// What the bound says that refuses a task.
    private func refusal(_ body: () throws -> Void) -> BatchRefusal? {
        #expect(throws: BatchRefusal.self, performing: body)
    }

    /// What a thread gets that asks: the batch as text.
    private func next(at milliseconds: Double = 0) -> String? {
        _ = queues.removeExpired(now: at(milliseconds))
        guard case .run(let batch) = queues.next(now: at(milliseconds)) else { return nil }
        running = batch
        return batch.slices.map(\.payload).joined(separator: " ")
    }

    private func finish(at milliseconds: Double, after time: Double) {
        guard let batch = running else { return }
        running = nil
        let outcome = BatchOutcome(
            executedRows: batch.rows, time: .microseconds(Int(time * 1000)), end: at(milliseconds))
        _ = queues.didRun(batch, outcome)
    }

    /// Lets the queue see that a row takes so many milliseconds; ends before the time 0.
    private func teach(_ queue: QueueID, milliseconds: Double, rows: [Int] = [1]) throws {
        for run in (1...20).reversed() {
            for size in rows {
                let time = Double(-run) * 2
                try submit("lesson", to: queue, size: size, at: time)
                #expect(next(at: time) == "lesson")
                finish(at: time + 1, after: milliseconds)
            }
        }
    }

    @Test func anIdleThread_runsATaskAtOnce() throws {
        let queue = open()
        try submit("a", to: queue)
        #expect(next() == "a")
    }

    @Test func tasksThatWaitTogether_runTogetherOnceSizesAreKnown() throws {
        let queue = open()
        try teach(queue, milliseconds: 5, rows: [1, 4])
        try submit("first", to: queue)
        #expect(next() == "first")
        for name in ["a", "b", "c", "d"] { try submit(name, to: queue, at: 1) }
        finish(at: 5, after: 5)
        #expect(next(at: 5) == "a b c d")
    }

    @Test func tasksOfDifferentShapes_runApart() throws {
        let queue = open()
        try teach(queue, milliseconds: 5, rows: [1, 4])
        try submit("first", to: queue)
        #expect(next() == "first")
        for (index, name) in ["a", "b", "c", "d"].enumerated() {
            try submit(name, to: queue, at: Double(index) / 10, TaskTerms(shape: index % 2 + 7))
        }
        finish(at: 5, after: 5)
        #expect(next(at: 5) == "a c")
        finish(at: 10, after: 5)
        #expect(next(at: 10) == "b d")
    }

    @Test func priorities_thenTenantsThenDeadlines_decideWhoIsNext() throws {
        let queue = open(rows: 1)
        try submit("first", to: queue)
        #expect(next() == "first")
        func terms(_ priority: TaskPriority, _ tenant: String) -> TaskTerms {
            TaskTerms(standing: TaskStanding(priority: priority, tenant: tenant))
        }
        try submit("low", to: queue, terms(.low, "a"))
        try submit("late", to: queue, terms(.normal, "a"))
        try submit("soon", to: queue, deadline: 30, terms(.normal, "a"))
        try submit("other", to: queue, at: 1, terms(.normal, "b"))
        try submit("high", to: queue, at: 2, terms(.high, "a"))
        var order: [String?] = []
        for time in 3..<8 {
            finish(at: Double(time), after: 1)
            order.append(next(at: Double(time)))
        }
        #expect(order == ["high", "soon", "other", "late", "low"])
    }

    @Test func aTaskThatCannotBeAnsweredInTime_isRefused() throws {
        let queue = open(rows: 1, target: 0.05)
        try teach(queue, milliseconds: 20)
        try submit("first", to: queue)
        #expect(next() == "first")
        try submit("second", to: queue)
        let refused = refusal { try submit("third", to: queue) }
        #expect(refused?.bound == .target)
        #expect(refused?.error.code == .resourceExhausted)
        #expect(refused?.error.message.contains("after the target of 50 ms") == true)
        #expect(refused?.error.message.contains("(rows before it: 1)") == true)
    }

    @Test func aTaskWhoseClientWillNotWait_isRefusedThoughNothingIsInItsWay() throws {
        let queue = open()
        try teach(queue, milliseconds: 20)
        let refused = refusal { try submit("a", to: queue, deadline: 10) }
        #expect(refused?.bound == .deadline)
        try submit("b", to: queue, deadline: 30)
        #expect(next() == "b")
    }

    @Test func afterARest_whatWasLearnedIsDoubted() throws {
        let queue = open()
        try teach(queue, milliseconds: 20)
        try submit("a", to: queue, at: 3000, deadline: 3010)
        #expect(next(at: 3000) == "a")
    }

    @Test func beforeAnythingIsKnown_nothingIsRefused() throws {
        let queue = open(target: 0.001)
        for number in 0..<1000 { try submit("\(number)", to: queue, deadline: 1) }
        #expect(queues.waiting == 1000)
    }

    @Test func moreTasksThanMayWait_areRefused() throws {
        let queue = open()
        for number in 0..<16_384 { try submit("\(number)", to: queue) }
        #expect(refusal { try submit("a", to: queue) }?.bound == .queue)
    }

    @Test func requestsOfAQuietTenant_areTakenWhileABusyOneIsRefused() throws {
        let queue = open(rows: 1, target: 0.1)
        try teach(queue, milliseconds: 20)
        let busy = TaskTerms(standing: TaskStanding(tenant: "busy"))
        try submit("first", to: queue, busy)
        #expect(next() == "first")
        var taken = 0
        while (try? submit("busy", to: queue, busy)) != nil { taken += 1 }
        #expect((2...4).contains(taken))
        try submit("quiet", to: queue, TaskTerms(standing: TaskStanding(tenant: "quiet")))
        finish(at: 20, after: 20)
        #expect(next(at: 20) == "quiet")
        finish(at: 40, after: 20)
        #expect(next(at: 40) == "busy")
    }

    // MARK: Waiting for a batch to fill

    /// A queue to which a task came each so many milliseconds, and in which none waits at 0.
    private func queue(ofTasksEach milliseconds: Double, rowCosts: Bool = false) throws -> QueueID {
        let queue = open()
        try teach(queue, milliseconds: 0.1)
        for run in (1...20).reversed() {
            let time = Double(-run)
            try submit("lesson", to: queue, size: 8, at: time)
            _ = next(at: time + 2)
            finish(at: time + 0.5, after: rowCosts ? 0.8 : 0.2)
        }
        for run in (0..<400).reversed() {
            let time = -Double(run) * milliseconds
            try submit("lesson", to: queue, at: time)
            _ = next(at: time + 2)
            finish(at: time, after: 0.1)
        }
        return queue
    }

    @Test func aBatch_waitsToFillWhileTasksComeFast() throws {
        let queue = try queue(ofTasksEach: 0.05)
        try submit("a", to: queue, at: 0.05)
        try submit("b", to: queue, at: 0.1)
        #expect(next(at: 1) == nil)
        #expect(next(at: 1.05) == "a b")
    }

    @Test func aBatch_thatIsFullEnough_doesNotWait() throws {
        let queue = try queue(ofTasksEach: 0.05)
        try submit("a", to: queue, at: 0.05)
        try submit("b", to: queue, size: 31, at: 0.1)
        #expect(next(at: 0.1)?.hasPrefix("a") == true)
    }

    @Test func aTaskInAHurry_doesNotWaitForOthers() throws {
        let queue = try queue(ofTasksEach: 0.05)
        try submit("a", to: queue, at: 0.05, deadline: 3)
        #expect(next(at: 0.05) == "a")
    }

    @Test func aBatch_doesNotWaitWhenTasksComeSlowly() throws {
        let queue = try queue(ofTasksEach: 0.5)
        try submit("a", to: queue, at: 0.5)
        #expect(next(at: 0.5) == "a")
    }

    @Test func aBatch_doesNotWaitWhereRowsCostAsMuchTogether() throws {
        let queue = try queue(ofTasksEach: 0.05, rowCosts: true)
        try submit("a", to: queue, at: 0.05)
        #expect(next(at: 0.05) == "a")
    }

    @Test func aClosedQueue_doesNotWait() throws {
        let queue = try queue(ofTasksEach: 0.05)
        try submit("a", to: queue, at: 0.05)
        _ = queues.close(queue)
        #expect(next(at: 0.06) == "a")
    }
}
