import MartletCore
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import MartletTransport

/// Keeps what it is shown.
private final class Witness: AnswerObserver {
    struct Seen {
        var statuses: [Int] = []
        var streams: [Bool] = []
        var bytes: [UInt8] = []
    }

    private let state = Mutex(Seen())

    var seen: Seen { state.withLock { $0 } }

    func answerBegins(status: Int, isStream: Bool) {
        state.withLock { seen in
            seen.statuses.append(status)
            seen.streams.append(isStream)
            seen.bytes = []
        }
    }

    func answerContinues(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { $0.bytes.append(contentsOf: bytes) }
    }
}

/// Sends every request to one upstream, as often as it is asked, with a witness.
private final class WatchedPolicy: ForwardingPolicy {
    let witness = Witness()
    private let upstream: UpstreamAddress

    init(_ upstream: UpstreamAddress) {
        self.upstream = upstream
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.observer = witness
        return plan
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        upstream
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        failed.tried.count < 2 ? upstream : nil
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {}

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {}
}

@Suite("Answers that somebody looks at as they pass", .timeLimit(.minutes(10)))
struct AnswerObserverTests {
    private func run(
        _ responder: TestResponder,
        _ body: @Sendable (ControlClient, Listener, Witness) async throws -> Void
    ) async throws {
        try await TestServer.run(responder) { (server) async throws in
            let policy = WatchedPolicy(
                UpstreamAddress(host: "127.0.0.1", port: server.listener.port))
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
                    result = .success(try await body(client, gateway, policy.witness))
                } catch {
                    result = .failure(error)
                }
                trigger.triggerGracefulShutdown()
                try await running
                try result.get()
            }
        }
    }

    @Test func observer_seesEveryByte() async throws {
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        let responder = TestResponder(http: { _, reply in
            reply.send(HTTPResponse(status: 200, contentType: "text/event-stream", body: body))
        })
        try await run(responder) { (client, gateway, witness) async throws in
            let answer = try await client.get(
                host: "127.0.0.1", port: gateway.port, path: "/", timeout: .seconds(120))
            #expect(answer.body == body && witness.seen.bytes == body)
            #expect(witness.seen.statuses == [200] && witness.seen.streams == [true])
        }
    }

    @Test func observer_isToldOfEveryAttempt() async throws {
        let count = Mutex(0)
        let responder = TestResponder(http: { _, reply in
            let number = count.withLock { count in
                count += 1
                return count
            }
            reply.send(
                HTTPResponse(
                    status: number == 1 ? 503 : 200, contentType: "text/plain",
                    body: [UInt8(number)]))
        })
        try await run(responder) { (client, gateway, witness) async throws in
            let answer = try await client.get(
                host: "127.0.0.1", port: gateway.port, path: "/", timeout: .seconds(120))
            #expect(answer.status == 200 && answer.body == [2])
            #expect(witness.seen.statuses == [503, 200] && witness.seen.bytes == [2])
            #expect(witness.seen.streams == [false, false])
        }
    }
}
