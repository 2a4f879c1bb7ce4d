import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Life of a forwarded request, by the thousand")
struct ExchangeMachineSimulationTests {
    @Test func randomEvents_keepEveryPromise() {
        let complaint = SimulationSeeds.complaint(first: 10_000, acts: 60) {
            ExchangeWorld(seed: $0)
        }
        #expect(complaint == nil)
    }

    /// The simulation must reach what it is there for.
    @Test func randomEvents_reachEveryEnd() {
        var ends: [String: Int] = [:]
        var retries = 0
        guard SimulationSeeds.first(2).count == 2 else { return }
        for seed in SimulationSeeds.first(1000) {
            let world = ExchangeWorld(seed: seed).lived(acts: 60)
            for end in world.ends { ends[end, default: 0] += 1 }
            if world.attempts > 1 { retries += 1 }
        }
        #expect(ends.keys.sorted() == ["aborted", "client gone", "error", "finished"])
        #expect(ends.values.allSatisfy { $0 > 20 }, "\(ends)")
        #expect(retries > 100)
    }
}

/// A client, a shell and upstreams that behave at random, and what they see broken.
private struct ExchangeWorld: SimulatedWorld {
    private enum Attempt { case none, connecting, open }

    private static let partBytesMax = 6

    private var machine: ExchangeMachine<TestWire>
    private var random: SeededGenerator
    private let holdLimit: Int
    private let replayLimit: Int

    /// What the client has still to send, and has sent.
    private var requestLeft: [TestRequestPart] = []
    private var requestSent = ""
    private var client = ""
    private var attempt = Attempt.none
    private var upstream = ""
    /// What this attempt's upstream has still to answer, and has answered.
    private var responseLeft: [TestResponsePart] = []
    private var responseSent = ""
    private var stoppedKeeping = false

    private(set) var attempts = 0
    private(set) var ends: [String] = []

    /// The first promise that was broken.
    private(set) var complaint: String?

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        holdLimit = [0, 4, 20, 1000].randomElement(using: &random) ?? 0
        replayLimit = [0, 4, 20, 1000].randomElement(using: &random) ?? 0
        machine = ExchangeMachine(holdLimit: holdLimit, replayLimit: replayLimit)
        if Int.random(in: 0..<4, using: &random) == 0 {
            requestLeft = [.whole("post", bytes(tag: "q"))]
        } else {
            requestLeft = [.head("post", isEnd: false)]
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                requestLeft.append(.body(bytes(tag: "q")))
            }
            requestLeft.append(.end(nil))
        }
        machine.beginAttempt()
        beginAttempt()
    }

    private var isOver: Bool { !ends.isEmpty }

    mutating func act() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: sendRequest()
        case 35..<50: connect()
        case 50..<85: answer()
        case 85..<93: fail()
        case 93..<95: stopKeeping()
        case 95: hangUp()
        default: late()
        }
    }

    /// Lets the exchange come to its end without further mishaps.
    mutating func settle() {
        for _ in 0..<200 where !isOver && complaint == nil {
            sendRequest()
            connect()
            if requestLeft.isEmpty { answer() }
        }
        require(ends.count == 1, "it ended \(ends.count) times: \(ends)")
        let before = (client, upstream)
        for _ in 0..<10 {
            sendRequest()
            connect()
            answer()
            fail()
            hangUp()
        }
        require(ends.count == 1, "it ended again: \(ends)")
        require(before == (client, upstream), "something was sent after the end")
    }

    // MARK: Events

    private mutating func sendRequest() {
        guard !requestLeft.isEmpty, machine.wantsMoreRequest || isOver else { return }
        let part = requestLeft.removeFirst()
        if !isOver { requestSent += part.text }
        perform([machine.receive(part)])
        let bound = replayLimit + holdLimit + 2 * ExchangeWorld.partBytesMax
        require(
            machine.keptBytes <= bound, "\(machine.keptBytes) bytes are kept, more than \(bound)")
    }

    private mutating func connect() {
        guard attempt == .connecting || isOver else { return }
        if !isOver { attempt = .open }
        perform([machine.opened()])
        guard !isOver else { return }
        require(
            upstream == requestSent, "attempt \(attempts) got '\(upstream)' of '\(requestSent)'")
    }

    private mutating func answer() {
        guard attempt == .open || isOver, !responseLeft.isEmpty else { return }
        let part = responseLeft.removeFirst()
        if !isOver { responseSent += part.text }
        take(machine.receive(part))
        guard !isOver else { return }
        require(
            responseSent.hasPrefix(client), "the client got '\(client)' of '\(responseSent)'")
    }

    private mutating func fail() {
        guard attempt != .none || isOver else { return }
        attempt = .none
        perform([machine.failed(.connectionClosed)])
    }

    private mutating func stopKeeping() {
        stoppedKeeping = true
        machine.stopKeeping()
    }

    private mutating func hangUp() {
        let hadAttempt = attempt != .none
        let action = machine.clientClosed()
        if isOver {
            require(action == nil, "an attempt is cancelled after the end")
            return
        }
        if case .cancelUpstream? = action {
        } else {
            require(!hadAttempt, "the attempt is not cancelled though the client has gone")
        }
        attempt = .none
        ends.append("client gone")
    }

    /// News of an attempt that has no connection yet must change nothing.
    private mutating func late() {
        guard attempt == .connecting else { return }
        let before = client
        take(machine.receive(TestResponsePart.body(ByteBuffer(string: "late"))))
        require(client == before, "an answer without a connection was passed on")
    }

    // MARK: Actions

    private mutating func perform(_ actions: [ExchangeMachine<TestWire>.Action?]) {
        for case let action? in actions {
            require(!isOver, "asked for something after the end")
            switch action {
            case .sendUpstream(let part): send([part])
            case .beginUpstream(let parts): send(parts)
            case .decide(_, let isReplayable): decide(isReplayable: isReplayable)
            case .abortClient:
                require(!client.isEmpty, "a response was broken off that had not begun")
                ends.append("aborted")
            case .cancelUpstream: require(false, "cancelled though the client is there")
            }
        }
    }

    private mutating func send(_ parts: [TestRequestPart]) {
        require(attempt == .open, "sent upstream without a connection")
        upstream += parts.map(\.text).joined()
        require(requestSent.hasPrefix(upstream), "'\(upstream)' was sent upstream")
    }

    private mutating func take(_ delivery: ExchangeMachine<TestWire>.Delivery?) {
        guard let delivery else { return }
        require(!isOver, "passed something on after the end")
        client += (delivery.held + [delivery.part]).map(\.text).joined()
        if let isReusable = delivery.isReusable { finish(isReusable: isReusable) }
    }

    private mutating func decide(isReplayable: Bool) {
        require(client.isEmpty && !machine.responseStarted, "asked for a retry after '\(client)'")
        let isForgotten = stoppedKeeping && !upstream.isEmpty
        require(!(isReplayable && isForgotten), "replayable though nothing may be kept")
        guard isReplayable, attempts < 5 else {
            machine.giveUp()
            ends.append("error")
            return
        }
        machine.retry()
        beginAttempt()
    }

    private mutating func beginAttempt() {
        attempts += 1
        attempt = .connecting
        upstream = ""
        responseSent = ""
        guard Int.random(in: 0..<4, using: &random) > 0 else {
            responseLeft = [.whole(TestStatus("\(attempts)"), bytes(tag: "\(attempts)"))]
            return
        }
        responseLeft = [.head(TestStatus("\(attempts)"), isEnd: false)]
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            responseLeft.append(.body(bytes(tag: "\(attempts)")))
        }
        responseLeft.append(.end(nil))
    }

    private mutating func finish(isReusable: Bool) {
        require(client == responseSent, "the client got '\(client)' of '\(responseSent)'")
        require(responseLeft.isEmpty, "finished before the response was complete")
        require(
            isReusable == requestLeft.isEmpty, "reusable: \(isReusable), left: \(requestLeft.count)"
        )
        require(!isReusable || upstream == requestSent, "the request was not sent whole")
        attempt = .none
        ends.append("finished")
    }

    private mutating func bytes(tag: String) -> ByteBuffer {
        let count = Int.random(in: 1...ExchangeWorld.partBytesMax, using: &random)
        return ByteBuffer(string: String(repeating: tag, count: count))
    }

    private mutating func require(_ holds: Bool, _ otherwise: String) {
        if !holds, complaint == nil { complaint = otherwise }
    }
}
