import MartletCore
import NIOCore
import NIOPosix
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import MartletTransport

@Suite("An upstream that is found to be dead while it is connected to")
struct RetiredUpstreamTests {
    @Test func requestOnItsNewConnection_isAskedElsewhere() async throws {
        try await TestServer.run { server in
            let silent = try await ServerBootstrap(group: server.eventLoops.group)
                .bind(host: "127.0.0.1", port: 0).get()
            let silentPort = try #require(silent.localAddress?.port)
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let policy = RetiringPolicy(
                first: UpstreamAddress(host: "127.0.0.1", port: silentPort),
                next: UpstreamAddress(host: "127.0.0.1", port: server.listener.port), pools: pools)
            let gateway = try await Listener.bind(
                to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: policy, through: pools,
                limits: .patient, eventLoops: server.eventLoops, logger: TestServer.silent)
            try await testGracefulShutdown { trigger in
                async let running: Void = gateway.run()
                let client = ControlClient(eventLoops: server.eventLoops)
                let answer = try await client.get(
                    host: "127.0.0.1", port: gateway.port, path: "/", timeout: .seconds(120))
                #expect(answer.status == 200)
                #expect(policy.failures == [.upstreamLost])
                trigger.triggerGracefulShutdown()
                try await running
            }
            try await silent.close()
        }
    }
}

/// Finds the first upstream to be dead as soon as it is asked.
private final class RetiringPolicy: ForwardingPolicy {
    private let first: UpstreamAddress
    private let next: UpstreamAddress
    private let pools: UpstreamPools
    private let seen = Mutex<[ForwardingFailure]>([])

    var failures: [ForwardingFailure] { seen.withLock { $0 } }

    init(first: UpstreamAddress, next: UpstreamAddress, pools: UpstreamPools) {
        self.first = first
        self.next = next
        self.pools = pools
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        ForwardingPlan(isIdempotent: true, holdsResponse: true)
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        // Heard on the event loop after this attempt has begun to connect.
        pools.retire(first)
        return first
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        seen.withLock { $0.append(failed.failure) }
        return next
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {}

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {}
}
