import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Connections that copies take")
struct ShadowConnectionsTests {
    private let policy: GatewayPolicy
    private let plan: ForwardingPlan
    private let copy: ForwardingPlan
    private let shadow: ShadowRuntime

    init() throws {
        let text = "endpoints: [a:1]\nroutes: [{name: r, shadow: {version: 2}}]\n"
        let rules = GatewayRules(try readPolicy(text).policy, now: .zero)
        policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let directory = try #require(rules.pools.first).directory
        for address in directory.addresses {
            _ = directory.checkEnded(address, .well, begunAt: directory.checkBegins(address))
        }
        plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/models/m:predict", authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        copy = try #require(policy.copy(of: ShadowConnectionsTests.outcome(200), plan))
        shadow = try #require(rules.routes.first?.shadow)
    }

    private static func outcome(_ status: Int) -> ForwardedOutcome {
        ForwardedOutcome(
            api: .rest, method: "POST", path: "/v1/models/m:predict", httpStatus: status,
            grpcStatus: nil, tried: [UpstreamAddress(host: "a", port: 1)], requestBytes: 1,
            responseBytes: 1, context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil)
    }

    @Test func copies_takeNoneOfTheConnectionsOfRequests() throws {
        let own = try policy.firstUpstream(plan)
        let ofCopy = try policy.firstUpstream(copy)
        #expect(ofCopy == own)
        #expect(ofCopy.connections != own.connections)
        #expect(ofCopy.connections == own.forCopies.connections)
    }

    @Test func copyThatNoConnectionIsFreeFor_isDropped_andCounted() throws {
        let upstream = try policy.firstUpstream(copy)
        #expect(shadow.soFar.sent == 1)
        policy.didEnd(
            EndedAttempt(upstream: upstream, result: .failed(.full), duration: .zero), copy)
        policy.didFinish(ShadowConnectionsTests.outcome(503), copy)
        #expect(shadow.soFar.sent == 0)
        #expect(shadow.soFar.dropped == 1)
        #expect(shadow.soFar.report.unanswered == 0)
    }

    @Test func copyThatFails_isNotDropped() throws {
        let upstream = try policy.firstUpstream(copy)
        policy.didEnd(
            EndedAttempt(upstream: upstream, result: .failed(.connectFailed), duration: .zero),
            copy)
        policy.didFinish(ShadowConnectionsTests.outcome(503), copy)
        #expect(shadow.soFar.sent == 1)
        #expect(shadow.soFar.dropped == 0)
    }
}
