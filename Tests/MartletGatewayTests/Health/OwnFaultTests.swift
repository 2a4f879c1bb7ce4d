import Logging
import MartletCore
import MartletTelemetry
import MartletTestKit
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Endpoints that the gateway's own machine cannot connect to")
struct OwnFaultTests {
    private let metrics = MetricsRegistry()
    private let warnings = LineLog(level: .warning)
    private let policy: GatewayPolicy
    private let pool: PoolRuntime
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)

    init() throws {
        let rules = GatewayRules(
            try readPolicy("endpoints: [a:1, b:2]\n").policy, now: .zero)
        pool = try #require(rules.pools.first)
        policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: metrics, accessLog: .disabled),
            logger: warnings.logger)
        for address in [a, b] {
            _ = pool.directory.checkEnded(
                address, .well, begunAt: pool.directory.checkBegins(address))
        }
    }

    private var isHealthy: [Bool] { pool.directory.status.endpoints.map(\.healthy) }

    private func count(_ cause: String) -> Bool {
        String(decoding: metrics.prometheusText(), as: UTF8.self)
            .contains("martlet_gateway_local_faults_total{cause=\"\(cause)\"} 20\n")
    }

    @Test func checks_thatCannotBeMade_leaveEndpointsAsTheyAre() async {
        let eventLoops = EventLoops(count: 1)
        let watch = PoolWatch(pool, policy: policy, eventLoops: eventLoops)
        for _ in 0..<20 {
            watch.take(
                .failure(.openFiles), of: a, begunAt: pool.directory.checkBegins(a))
        }
        #expect(isHealthy == [true, true])
        #expect(count("open_files"))
        // Whereas those that are not answered count.
        for _ in 0..<2 {
            watch.take(
                .success(.unreachable), of: a, begunAt: pool.directory.checkBegins(a))
        }
        #expect(isHealthy == [false, true])
        await eventLoops.shutDown()
    }

    @Test func requests_thatCannotBeSent_countAgainstNoEndpoint() throws {
        let plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/models/m:predict", authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        for _ in 0..<20 {
            let first = try policy.firstUpstream(plan)
            policy.didEnd(
                EndedAttempt(
                    upstream: first, result: .failed(.localFault(.ports)),
                    duration: .milliseconds(1)), plan)
        }
        // Perhaps there is a connection to another.
        let next = policy.nextUpstream(
            after: FailedForwarding(
                tried: [a], plan: plan, isReplayable: true, responseStarted: false,
                failure: .localFault(.ports)))
        #expect(next == b)
        let endpoints = pool.directory.status.endpoints
        #expect(endpoints.map(\.healthy) == [true, true])
        #expect(endpoints.map(\.ejected) == [false, false])
        #expect(endpoints.map(\.failures) == [0, 0])
        #expect(count("ports"))
    }

    @Test func warnings_nameTheRemedy_andComeNowAndThen() {
        let start = ContinuousClock.now
        let journal = LocalFaultJournal(MetricsRegistry())
        for second in 0..<25 {
            journal.note(.openFiles, warnings.logger, now: start + .seconds(second))
        }
        #expect(warnings.lines.count == 3)
        #expect(warnings.lines.allSatisfy { $0.contains("raise the limit of open files") })
        // Others are told of at once.
        journal.note(.memory, warnings.logger, now: start + .seconds(24))
        #expect(warnings.lines.count == 4)
    }
}
