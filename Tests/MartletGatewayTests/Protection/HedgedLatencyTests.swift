import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("What attempts tell of when a request is late")
struct HedgedLatencyTests {
    private let policy: GatewayPolicy

    init() throws {
        let text = "endpoints: [a:1, b:1]\nroutes: [{name: r, hedging: {delay_percentile: 95}}]\n"
        policy = GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        // What is known of usual answers: they take 10 ms.
        end(.answered(httpStatus: 200, grpcStatus: nil), .milliseconds(10), plan, times: 100)
    }

    private var plan: ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/models/m:predict", authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    private func end(
        _ result: AttemptResult, _ duration: Duration, _ plan: ForwardingPlan, times: Int
    ) {
        let attempt = EndedAttempt(
            upstream: UpstreamAddress(host: "a", port: 1), result: result, duration: duration)
        for _ in 0..<times { policy.didEnd(attempt, plan) }
    }

    /// When a request counts as late, computed anew.
    private var delay: Duration? {
        policy.current.routes.first?.hedgingDelay(now: policy.now + .seconds(2))
    }

    @Test func thoseThatTheirHedgesWereFasterThan_countWithTheTimeThatTheyHad() throws {
        let plan = plan
        try #require(plan.hedgingDelay != nil)
        end(.abandoned, .milliseconds(900), plan, times: 20)
        #expect(try #require(delay) > .milliseconds(500))
    }

    @Test func thoseThatWereGivenUpBefore_tellNothing() throws {
        let plan = plan
        try #require(plan.hedgingDelay != nil)
        end(.abandoned, .milliseconds(1), plan, times: 5000)
        #expect(try #require(delay) > .milliseconds(9))
    }

    @Test func failures_tellNothing() throws {
        let plan = plan
        try #require(plan.hedgingDelay != nil)
        end(.failed(.connectionClosed), .milliseconds(900), plan, times: 20)
        #expect(try #require(delay) < .milliseconds(20))
    }
}
