import MartletCore
import NIOCore
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import MartletTransport

/// Asks `small` in place of what no upstream answers, once.
private final class FallingPolicy: ForwardingPolicy {
    struct Seen {
        var unanswered: [UnansweredForwarding] = []
        var attempts: [EndedAttempt] = []
        var outcomes: [ForwardedOutcome] = []
        /// What each request ended by.
        var plans: [ForwardingPlan] = []
    }

    private let upstream: UpstreamAddress
    /// Whether there is an upstream for the first attempt.
    private let hasFirst: Bool
    private let state = Mutex(Seen())

    var seen: Seen { state.withLock { $0 } }

    /// What was seen of the one request: its client may have the answer before that is told.
    var settled: Seen {
        get async {
            while seen.outcomes.isEmpty { await Task.yield() }
            return seen
        }
    }

    init(_ upstream: UpstreamAddress, hasFirst: Bool) {
        self.upstream = upstream
        self.hasFirst = hasFirst
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.awaitedBodyBytes = 1000
        plan.mayFallBack = request.path == "/may"
        return plan
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        guard hasFirst else { throw ForwardingRefusal(ServingError(.unavailable, "none")) }
        return upstream
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        failed.tried.count < 2 ? upstream : nil
    }

    func fallback(after unanswered: UnansweredForwarding) -> FallbackForwarding? {
        state.withLock { $0.unanswered.append(unanswered) }
        guard unanswered.body != Array("small".utf8) else { return nil }
        var plan = unanswered.plan
        plan.newBody = Array("small".utf8)
        var changes = ForwardingChanges()
        changes.contentLength = 5
        changes.response.added = [.init("x-instead", "small")]
        plan.changes = changes
        return FallbackForwarding(plan: plan, upstream: upstream)
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        state.withLock { $0.attempts.append(attempt) }
    }

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        state.withLock { seen in
            seen.outcomes.append(outcome)
            seen.plans.append(plan)
        }
    }
}

@Suite("What is asked in place of a request without an answer", .timeLimit(.minutes(10)))
struct FallbackForwardingTests {
    /// Answers `small`, and has no room for anything else.
    private static let responder = TestResponder(http: { request, reply in
        let text = String(decoding: request.body, as: UTF8.self)
        let length = request.headers.first("content-length") ?? "none"
        reply.send(
            HTTPResponse(
                status: text == "small" ? 200 : 429, contentType: "text/plain",
                body: Array("\(text) of \(length)".utf8)))
    })

    private func run(
        hasFirst: Bool = true, _ responder: TestResponder = FallbackForwardingTests.responder,
        _ body: @Sendable (ControlClient, Listener, FallingPolicy) async throws -> Void
    ) async throws {
        try await TestServer.run(responder) { (server) async throws in
            let policy = FallingPolicy(
                UpstreamAddress(host: "127.0.0.1", port: server.listener.port),
                hasFirst: hasFirst)
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let gateway = try await Listener.bind(
                to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: policy, through: pools,
                limits: .patient, eventLoops: server.eventLoops, logger: TestServer.silent)
            try await testGracefulShutdown { trigger in
                async let running: Void = gateway.run()
                let result: Result<Void, any Error>
                do {
                    let client = ControlClient(eventLoops: server.eventLoops)
                    result = .success(try await body(client, gateway, policy))
                } catch {
                    result = .failure(error)
                }
                trigger.triggerGracefulShutdown()
                try await running
                try result.get()
            }
        }
    }

    private static func ask(
        _ client: ControlClient, _ gateway: Listener, _ body: String, path: String = "/may"
    ) async throws -> HTTPResponse {
        try await client.send(
            ControlRequest(method: "POST", path: path, body: Array(body.utf8)),
            host: "127.0.0.1", port: gateway.port, timeout: .seconds(120))
    }

    @Test func whatNobodyHasRoomFor_isAskedOtherwise() async throws {
        try await run { (client, gateway, policy) async throws in
            let answer = try await Self.ask(client, gateway, "something large")
            #expect(answer.status == 200 && answer.body == Array("small of 5".utf8))
            #expect(answer.headers.first("x-instead") == "small")
            let seen = await policy.settled
            #expect(seen.unanswered.map(\.failure) == [.refused])
            #expect(seen.unanswered.first?.body == Array("something large".utf8))
            // The first attempt at what is asked instead is no retry.
            #expect(seen.attempts.map(\.isRetry) == [false, true, false])
            #expect(seen.outcomes.first?.tried.count == 3)
            #expect(seen.outcomes.first?.requestBytes == "something large".utf8.count)
            #expect(seen.plans.first?.changes?.contentLength == 5)
        }
    }

    @Test func withoutAnyUpstream_itIsAskedAtOnce() async throws {
        try await run(hasFirst: false) { (client, gateway, policy) async throws in
            let answer = try await Self.ask(client, gateway, "something large")
            #expect(answer.status == 200 && answer.body == Array("small of 5".utf8))
            let seen = await policy.settled
            #expect(seen.unanswered.map(\.failure) == [nil])
            #expect(seen.attempts.map(\.isRetry) == [false])
        }
    }

    @Test func whatHasNoRoomEither_isTold() async throws {
        let full = TestResponder(http: { request, reply in
            reply.send(HTTPResponse(status: 503, contentType: "text/plain", body: request.body))
        })
        try await run(full) { (client, gateway, policy) async throws in
            let answer = try await Self.ask(client, gateway, "something large")
            #expect(answer.status == 503 && answer.body == Array("small".utf8))
            let seen = await policy.settled
            #expect(seen.unanswered.count == 2)
            #expect(seen.attempts.map(\.isRetry) == [false, true, false, true])
            #expect(seen.outcomes.count == 1)
        }
    }

    @Test func whatMayNot_isNotAskedOtherwise() async throws {
        try await run { (client, gateway, policy) async throws in
            let answer = try await Self.ask(client, gateway, "large", path: "/may-not")
            #expect(answer.status == 429 && answer.body == Array("large of 5".utf8))
            #expect(answer.headers.first("x-instead") == nil)
            #expect(await policy.settled.unanswered.isEmpty)
        }
    }

    @Test func anotherRequest_takesThePlaceOfTheOneAtHand() throws {
        var machine = ExchangeMachine<TestWire>(holdLimit: 10, replayLimit: 100)
        let parts: [TestRequestPart] = [
            .head("post", isEnd: false), .body(ByteBuffer(string: "abc")),
            .body(ByteBuffer(string: "def")), .end("t"),
        ]
        for part in parts { _ = machine.receive(part) }
        machine.replaceRequest(by: "other", ByteBuffer(string: "gh"))
        machine.beginAttempt()
        guard case .beginUpstream(let sent)? = machine.opened() else {
            Issue.record("nothing is sent")
            return
        }
        #expect(sent.map(\.text).joined() == "<other>ght.")
        // What is kept is counted anew, what has come is not.
        #expect(machine.keptBytes == 2 && machine.requestBytes == 6)
    }
}
