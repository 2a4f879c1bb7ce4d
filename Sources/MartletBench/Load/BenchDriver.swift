import Foundation
import MartletTransport

/// Keeps one lane busy by a plan, and counts what comes of it.
final class BenchDriver: LoadDriver {
    /// How far a run has come.
    private enum Phase {
        /// Requests begin. Next: draining.
        case sending
        /// No new ones; answers are awaited. Next: over.
        case draining
        /// Final.
        case over
    }

    /// How often counts are handed on.
    private static let flushInterval: UInt64 = 50_000_000

    private let plan: BenchPlan
    private let wire: LoadWire
    private let collector: LoadCollector
    private let inFlightMax: Int
    private var schedule: ArrivalSchedule
    private var due: UInt64?
    private var backlog = Backlog()
    private var streams: StreamClock?

    private var phase = Phase.sending
    private var start: UInt64 = 0
    private var variant: Int
    private var inFlight = 0
    private var tally = LoadTally()
    private var nextFlush: UInt64 = 0
    private var alarmAt = UInt64.max
    private var processorStart: (seconds: Double, at: UInt64)?
    private var hasProcessorEnd = false

    /// Creates the driver of one lane of several.
    init(
        _ plan: BenchPlan, wire: LoadWire, lane index: Int, of count: Int, collector: LoadCollector
    ) {
        self.plan = plan
        self.wire = wire
        self.collector = collector
        schedule = ArrivalSchedule(plan.arrivals, index: index, of: count)
        if case .closed(let concurrency) = plan.arrivals {
            inFlightMax = Shares(of: concurrency, among: count)[index]
        } else {
            inFlightMax = .max
        }
        variant = index
        streams = plan.isStreaming ? StreamClock() : nil
    }

    // MARK: Times

    private var countingStart: UInt64 { start + plan.warmUp }
    private var end: UInt64 { countingStart + plan.duration }

    private func isCounted(_ time: UInt64) -> Bool { time >= countingStart && time < end }

    // MARK: LoadDriver

    func begin(on lane: LoadLane) {
        start = lane.now
        nextFlush = start + BenchDriver.flushInterval
        due = schedule.next().map { $0 + start }
        proceed(on: lane)
    }

    func woke(on lane: LoadLane) {
        alarmAt = .max
        proceed(on: lane)
    }

    func reconnected(on lane: LoadLane) { proceed(on: lane) }

    func connectionFailed(_ reason: String, on lane: LoadLane) {
        // In an open loop the requests that wait for a connection are counted themselves.
        if !plan.arrivals.isOpen, case .sending = phase, isCounted(lane.now) {
            tally.fail("NOT_CONNECTED", reason)
        }
        proceed(on: lane)
    }

    func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane) {
        guard let begun = streams?.start(of: token) else { return }
        let times = streams?.receive(bytes, for: token, at: lane.now) ?? []
        if isCounted(begun) { tally.add(times) }
    }

    func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int, on lane: LoadLane) {
        inFlight -= 1
        var begun = token
        var outcome = outcome
        if let clock = streams?.end(token) {
            begun = clock.start
            if outcome == .success, clock.tokens == 0 {
                outcome = .failed(.malformed("The stream had no tokens"))
            }
        }
        count(outcome, begun: begun, bytes: bytes, now: lane.now)
        proceed(on: lane)
    }

    private func count(_ outcome: LoadOutcome, begun: UInt64, bytes: Int, now: UInt64) {
        let latency = now > begun ? now - begun : 0
        if let failure = outcome.failure(wire) {
            guard isCounted(begun) else { return }
            tally.fail(failure.code, failure.text)
            if case .refused = outcome { tally.refusal.record(latency) }
            return
        }
        if isCounted(now) {
            tally.answeredInTime += 1
            tally.bytes += bytes
        }
        if isCounted(begun) { tally.latency.record(latency) }
    }

    // MARK: What goes on

    private func proceed(on lane: LoadLane) {
        switch phase {
        case .sending:
            if lane.now >= end {
                phase = .draining
                drain(on: lane)
            } else {
                fill(lane)
            }
        case .draining: drain(on: lane)
        case .over: return
        }
        flushIfDue(lane.now)
        if case .over = phase { return }
        setAlarm(on: lane)
    }

    private func fill(_ lane: LoadLane) {
        guard plan.arrivals.isOpen else {
            while inFlight < inFlightMax, send(lane.now, on: lane) {}
            return
        }
        while let time = due, time <= lane.now, time < end {
            if isCounted(time) { tally.lag.record(lane.now - time) }
            due = schedule.next().map { $0 + start }
            if !backlog.isEmpty || !send(time, on: lane) {
                backlog.append(time)
                if isCounted(time) { tally.waited += 1 }
            }
        }
        sendBacklog(on: lane)
    }

    private func sendBacklog(on lane: LoadLane) {
        while let time = backlog.first {
            if time + plan.timeout < lane.now {
                notSent(time)
            } else if !send(time, on: lane) {
                return
            }
            backlog.removeFirst()
        }
    }

    private func notSent(_ time: UInt64) {
        if isCounted(time) { tally.fail("NOT_SENT", "No connection was free in time") }
    }

    private func send(_ time: UInt64, on lane: LoadLane) -> Bool {
        let token = streams?.begin(time) ?? time
        guard lane.send(variant, token: token) else {
            _ = streams?.end(token)
            return false
        }
        inFlight += 1
        variant = variant + 1 < plan.variants ? variant + 1 : 0
        return true
    }

    private func drain(on lane: LoadLane) {
        // Requests that were due before the end still go out, late as they are.
        while let time = due, time < end, time <= lane.now {
            backlog.append(time)
            due = schedule.next().map { $0 + start }
        }
        sendBacklog(on: lane)
        noteProcessorTime(lane.now)
        if lane.now >= end + plan.drain {
            phase = .over
            while let time = backlog.first {
                notSent(time)
                backlog.removeFirst()
            }
            lane.abandon()
            finish(lane)
        } else if inFlight == 0, backlog.isEmpty {
            phase = .over
            finish(lane)
        }
    }

    private func finish(_ lane: LoadLane) {
        flush(lane.now)
        lane.finish()
    }

    private func setAlarm(on lane: LoadLane) {
        var next = min(nextFlush, lane.now + BenchDriver.flushInterval)
        if case .sending = phase {
            next = min(next, end)
            if plan.arrivals.isOpen, let due { next = min(next, due) }
        } else {
            next = min(next, end + plan.drain)
        }
        guard next != alarmAt else { return }
        alarmAt = next
        lane.wake(at: next)
    }

    // MARK: Counts

    private func flushIfDue(_ now: UInt64) {
        guard now >= nextFlush else { return }
        flush(now)
    }

    private func flush(_ now: UInt64) {
        noteProcessorTime(now)
        nextFlush = now + BenchDriver.flushInterval
        guard now >= countingStart else { return }
        let time = min(now, end - 1)
        collector.add(tally, at: Int64(time - countingStart))
        tally.removeAll()
    }

    /// Takes the time that this thread has worked, at the start and at the end of counting.
    private func noteProcessorTime(_ now: UInt64) {
        if processorStart == nil, now >= countingStart {
            processorStart = (BenchDriver.threadSeconds(), now)
        } else if let processorStart, !hasProcessorEnd, now >= end {
            hasProcessorEnd = true
            collector.addProcessorTime(
                BenchDriver.threadSeconds() - processorStart.seconds,
                of: Double(now - processorStart.at) / 1e9)
        }
    }

    private static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Times at which requests were due that could not be sent yet, oldest first.
struct Backlog {
    private var times: [UInt64] = []
    private var head = 0

    var isEmpty: Bool { head == times.count }

    var first: UInt64? { isEmpty ? nil : times[head] }

    mutating func append(_ time: UInt64) { times.append(time) }

    mutating func removeFirst() {
        head += 1
        // What was taken is given back now and then, so that each element is moved once at most.
        if head > 1024, 2 * head > times.count {
            times.removeFirst(head)
            head = 0
        }
    }
}
