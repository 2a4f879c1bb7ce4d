import Dispatch
import MartletCore
import MartletEngines
import Synchronization
import Testing

@Suite("Engine threads", .timeLimit(.minutes(10)))
struct EngineThreadsTests {
    /// Notes what ran, in order, from any thread.
    private final class Notes: Sendable {
        private let numbers = Mutex<[Int]>([])

        var all: [Int] { numbers.withLock { $0 } }

        func add(_ number: Int) { numbers.withLock { $0.append(number) } }
    }

    /// Threads whose only thread is busy until `release` is signalled.
    private struct Blocked {
        let threads: EngineThreads
        let release = DispatchSemaphore(value: 0)

        init(capacity: Int) throws {
            threads = EngineThreads(count: 1, capacity: capacity, name: "test")
            let started = DispatchSemaphore(value: 0)
            try threads.submit { [release] in
                started.signal()
                release.wait()
            }
            started.wait()
        }
    }

    @Test func jobs_onOneThread_runInOrderOfArrival() throws {
        let threads = EngineThreads(count: 1, capacity: 1000, name: "test")
        let notes = Notes()
        for number in 0..<1000 { try threads.submit { notes.add(number) } }
        threads.shutDown()
        #expect(notes.all == Array(0..<1000))
    }

    @Test func job_whoseTurnWouldComeTooLate_isRefused() throws {
        let blocked = try Blocked(capacity: 10)
        let notes = Notes()
        try blocked.threads.submit(expected: .seconds(100)) { notes.add(0) }
        let refusal = #expect(throws: ServingError.self) {
            try blocked.threads.submit(
                expected: .seconds(10), deadline: .after(.seconds(60))
            ) { notes.add(1) }
        }
        #expect(refusal?.code == .resourceExhausted)
        #expect(refusal?.message.contains("answered in 110000 ms") == true)
        // One that can wait is not, nor one that waits for ever, nor the rest of earlier work.
        try blocked.threads.submit(expected: .seconds(10), deadline: .after(.seconds(200))) {
            notes.add(2)
        }
        try blocked.threads.submit(expected: .seconds(10)) { notes.add(3) }
        try blocked.threads.submit(
            isBounded: false, expected: .seconds(10), deadline: .after(.seconds(1))
        ) { notes.add(4) }
        blocked.release.signal()
        blocked.threads.shutDown()
        #expect(notes.all == [0, 2, 3, 4])
    }

    @Test func job_withNothingBeforeIt_isNeverRefused() throws {
        let threads = EngineThreads(count: 1, capacity: 10, name: "test")
        let notes = Notes()
        let done = DispatchSemaphore(value: 0)
        for number in 0..<3 {
            try threads.submit(expected: .seconds(100), deadline: .after(.seconds(1))) {
                notes.add(number)
            }
            // What has run is no longer before anybody.
            try threads.submit(isBounded: false) { done.signal() }
            done.wait()
        }
        threads.shutDown()
        #expect(notes.all == [0, 1, 2])
    }

    @Test func jobs_onSeveralThreads_runAtOnce() throws {
        let threads = EngineThreads(count: 3, capacity: 10, name: "test")
        #expect(threads.count == 3)
        // Each job waits for the two others: on fewer threads none would end.
        let arrived = DispatchSemaphore(value: 0)
        let together = DispatchSemaphore(value: 0)
        for _ in 0..<3 {
            try threads.submit {
                arrived.signal()
                together.wait()
            }
        }
        for _ in 0..<3 { #expect(arrived.wait(timeout: .now() + 120) == .success) }
        for _ in 0..<3 { together.signal() }
        threads.shutDown()
    }

    @Test func jobs_fromManyThreads_eachRunOnce() throws {
        let threads = EngineThreads(count: 4, capacity: .max, name: "test")
        let notes = Notes()
        DispatchQueue.concurrentPerform(iterations: 8) { submitter in
            for number in 0..<500 { try? threads.submit { notes.add(submitter * 500 + number) } }
        }
        threads.shutDown()
        #expect(notes.all.sorted() == Array(0..<4000))
    }

    @Test func submit_toAFullQueue_isRefusedUntilThereIsRoom() throws {
        let blocked = try Blocked(capacity: 2)
        let notes = Notes()
        try blocked.threads.submit { notes.add(1) }
        try blocked.threads.submit { notes.add(2) }
        #expect(blocked.threads.queueDepth == 2)
        let error = #expect(throws: ServingError.self) {
            try blocked.threads.submit { notes.add(3) }
        }
        #expect(error?.code == .resourceExhausted)
        #expect(
            error?.message == "The request queue is full: 2 requests are waiting "
                + "(--queue-capacity). Try again later or add nodes")
        #expect(blocked.threads.queueDepth == 2)
        blocked.release.signal()
        while blocked.threads.queueDepth > 0 {}
        try blocked.threads.submit { notes.add(4) }
        blocked.threads.shutDown()
        #expect(notes.all == [1, 2, 4])
    }

    @Test func shutDown_runsWhatIsQueuedAndThenReturns() throws {
        let blocked = try Blocked(capacity: 100)
        let notes = Notes()
        for number in 0..<100 { try blocked.threads.submit { notes.add(number) } }
        blocked.release.signal()
        blocked.threads.shutDown()
        #expect(notes.all == Array(0..<100))
        #expect(blocked.threads.queueDepth == 0)
    }

    @Test func submit_afterShutDown_isUnavailable() {
        let threads = EngineThreads(count: 2, capacity: 1, name: "test")
        threads.shutDown()
        let notes = Notes()
        let error = #expect(throws: ServingError.self) { try threads.submit { notes.add(1) } }
        #expect(error?.code == .unavailable)
        #expect(notes.all.isEmpty)
    }

    @Test func submit_whileShuttingDown_runsOrIsRefusedAndIsNeverLost() {
        for _ in 0..<50 {
            let threads = EngineThreads(count: 2, capacity: .max, name: "test")
            let ran = Atomic<Int>(0)
            let accepted = Atomic<Int>(0)
            DispatchQueue.concurrentPerform(iterations: 4) { submitter in
                guard submitter > 0 else {
                    threads.shutDown()
                    return
                }
                for _ in 0..<50 {
                    do {
                        try threads.submit { ran.wrappingAdd(1, ordering: .relaxed) }
                        accepted.wrappingAdd(1, ordering: .relaxed)
                    } catch {
                        return
                    }
                }
            }
            #expect(ran.load(ordering: .relaxed) == accepted.load(ordering: .relaxed))
        }
    }

    @Test func busyTime_growsByWhatJobsTakeAndNotByWaiting() throws {
        let threads = EngineThreads(count: 1, capacity: 10, name: "test")
        #expect(threads.busyNanoseconds == 0)
        let done = DispatchSemaphore(value: 0)
        func spin(milliseconds: Int) throws {
            try threads.submit {
                let end = DispatchTime.now() + .milliseconds(milliseconds)
                while DispatchTime.now() < end {}
            }
            // The job behind tells that the first one's time has been counted.
            try threads.submit { done.signal() }
            done.wait()
        }
        try spin(milliseconds: 30)
        let once = threads.busyNanoseconds
        #expect(once >= 30_000_000)
        try spin(milliseconds: 20)
        #expect(threads.busyNanoseconds >= once + 20_000_000)
        threads.shutDown()
        let twice = threads.busyNanoseconds
        DispatchSemaphore(value: 0).sleep(milliseconds: 20)
        #expect(threads.busyNanoseconds == twice)
    }

    @Test func count_belowOne_isOne() throws {
        let threads = EngineThreads(count: 0, capacity: 1, name: "test")
        #expect(threads.count == 1)
        let notes = Notes()
        try threads.submit { notes.add(1) }
        threads.shutDown()
        #expect(notes.all == [1])
    }
}

extension DispatchSemaphore {
    fileprivate func sleep(milliseconds: Int) {
        _ = wait(timeout: .now() + .milliseconds(milliseconds))
    }
}
