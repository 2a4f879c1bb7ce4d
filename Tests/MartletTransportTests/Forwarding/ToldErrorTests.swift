import MartletCore
import NIOHPACK
import ServiceLifecycleTestKit
import Testing

@testable import MartletTransport

/// Refuses everything, or bodies that are too long, and says so in words of its own on one path.
private final class RefusingPolicy: ForwardingPolicy {
    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.bodyBytesMax = 10
        return plan
    }

    func body(
        telling error: ServingError, status: Int, to request: ForwardedRequest
    ) -> [UInt8]? {
        request.path == "/own" ? Array("\(status) \(error.message)".utf8) : nil
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        throw ForwardingRefusal(
            ServingError(.resourceExhausted, "Too many"), fields: ["retry-after": "7"])
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? { nil }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {}

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {}
}

@Suite("Errors that a policy words itself", .timeLimit(.minutes(10)))
struct ToldErrorTests {
    private func run(
        _ body: @Sendable (TestServer, Listener) async throws -> Void
    ) async throws {
        try await TestServer.run { (server) async throws in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let gateway = try await Listener.bind(
                to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: RefusingPolicy(),
                through: pools, limits: .patient, eventLoops: server.eventLoops,
                logger: TestServer.silent)
            try await testGracefulShutdown { trigger in
                async let running: Void = gateway.run()
                let result: Result<Void, any Error>
                do {
                    result = .success(try await body(server, gateway))
                } catch {
                    result = .failure(error)
                }
                trigger.triggerGracefulShutdown()
                try await running
                try result.get()
            }
        }
    }

    @Test func errorsOverHTTP1_areWordedByThePolicy() async throws {
        try await run { (server, gateway) async throws in
            let client = ControlClient(eventLoops: server.eventLoops)
            let own = try await client.get(
                host: "127.0.0.1", port: gateway.port, path: "/own", timeout: .seconds(120))
            #expect(own.status == 429 && own.headers.first("retry-after") == "7")
            #expect(own.body == Array("429 Too many".utf8))
            #expect(own.headers.first("content-type") == "application/json")
            let usual = try await client.get(
                host: "127.0.0.1", port: gateway.port, path: "/usual", timeout: .seconds(120))
            #expect(usual.status == 429 && usual.body == errorBody("Too many"))
            let long = try await client.send(
                ControlRequest(
                    method: "POST", path: "/own", body: Array(repeating: 0x20, count: 11)),
                host: "127.0.0.1", port: gateway.port, timeout: .seconds(120))
            #expect(long.status == 413 && long.body.starts(with: Array("413 ".utf8)))
        }
    }
}
