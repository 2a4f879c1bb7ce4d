import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Hedges that nobody has room for")
struct HedgeWithoutRoomTests {
    private let policy: GatewayPolicy
    private let directory: EndpointDirectory
    private let plan: ForwardingPlan

    init() throws {
        let text = """
            pools:
              - name: p
                endpoints: [a:1, b:2]
                breakers: {requests_max: 1}
            routes:
              - name: r
                pool: p
                hedging: {delay_seconds: 0.05, budget_percent: 100}
                retries: {budget_retries_min: 1, budget_percent: 0}

            """
        let rules = GatewayRules(try readPolicy(text).policy, now: .zero)
        directory = try #require(rules.pools.first).directory
        policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/models/m:predict", authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        for address in directory.addresses {
            _ = directory.checkEnded(address, .well, begunAt: directory.checkBegins(address))
        }
    }

    /// Where a request goes that has waited long at one endpoint; `nil` where it goes nowhere.
    private func hedge(_ tried: UpstreamAddress) -> UpstreamAddress? {
        let waiting = WaitingForwarding(tried: [tried], plan: plan, elapsed: .seconds(1))
        guard case .ask(let address) = policy.hedge(waiting) else { return nil }
        return address
    }

    /// Else a busy minute would leave nothing for the quiet one that comes after it.
    @Test func hedge_thatFindsNoEndpoint_costsNeitherBudgetAnything() throws {
        let first = try policy.firstUpstream(plan)
        let second = try policy.firstUpstream(plan)
        try #require(first != second)
        for _ in 0..<30 { #expect(hedge(first) == nil) }
        policy.didEnd(
            EndedAttempt(
                upstream: second, result: .answered(httpStatus: 200, grpcStatus: nil),
                duration: .milliseconds(1)), plan)
        #expect(hedge(first) == second)
    }
}
