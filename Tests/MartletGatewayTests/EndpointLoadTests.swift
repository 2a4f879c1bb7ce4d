import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Load that endpoints tell of")
struct EndpointLoadTests {
    private let metrics = MetricsRegistry()
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)

    private func makePolicy(_ pool: String) throws -> (GatewayPolicy, EndpointDirectory) {
        let traffic = try TrafficPolicy.parse(
            "pools:\n  - {name: p, endpoints: [a:1, b:2], \(pool)}\n", file: "g.yaml"
        ).policy
        let rules = GatewayRules(traffic, now: .zero)
        let directory = try #require(rules.pools.first).directory
        let ready = HealthCheckOutcome(isReady: true, isDegraded: false, load: nil, models: [])
        for address in [a, b] {
            _ = directory.checkEnded(address, ready, begunAt: directory.checkBegins(address))
        }
        let policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: metrics, accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return (policy, directory)
    }

    private func plan(_ policy: GatewayPolicy) -> ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/models/m:predict", authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    private func counts(_ line: String) -> Bool {
        String(decoding: metrics.prometheusText(), as: UTF8.self)
            .split(separator: "\n").contains { $0 == line }
    }

    @Test func sample_isOfTheResourceThatIsUsedMost() {
        let report = LoadReport(
            applicationUtilization: 0.25, cpuUtilization: 0.5, requestsPerSecond: 100,
            errorsPerSecond: 2)
        #expect(LoadSample(report) == LoadSample(rps: 100, eps: 2, utilization: 0.5))
    }

    @Test func reports_withAnswers_reachTheBalancer_andAreCounted() throws {
        let (policy, directory) = try makePolicy("balancing: round_robin")
        directory.state.withLock { $0.balancer = RecordingBalancer() }
        let plan = plan(policy)
        let report = LoadReport(cpuUtilization: 0.5, requestsPerSecond: 10)
        policy.didReport(.report(report), from: a, plan)
        policy.didReport(.report(report), from: b, plan)
        policy.didReport(
            .malformed(LoadReportError(.invalidValue, "a value is no number")), from: a, plan)
        let sample = LoadSample(rps: 10, eps: 0, utilization: 0.5)
        let balancer = directory.state.withLock { $0.balancer } as? RecordingBalancer
        #expect(balancer?.reports == [a.id: [sample], b.id: [sample]])
        #expect(counts("martlet_gateway_load_reports_total{outcome=\"taken\"} 2"))
        #expect(counts("martlet_gateway_load_reports_total{outcome=\"malformed\"} 1"))
    }

    @Test func reports_ofRequestsThatHaveNoPool_areLeft() throws {
        let (policy, _) = try makePolicy("balancing: round_robin")
        let plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        policy.didReport(.report(LoadReport()), from: a, plan)
        #expect(counts("martlet_gateway_load_reports_total{outcome=\"taken\"} 0"))
    }

    private func tally(_ directory: EndpointDirectory, _ count: Int) -> [UpstreamAddress: Int] {
        (0..<count).reduce(into: [:]) { tally, _ in
            guard let address = directory.pickFirst().address else { return }
            tally[address, default: 0] += 1
            _ = directory.didEnd(
                EndedAttempt(
                    upstream: address, result: .answered(httpStatus: 200, grpcStatus: nil),
                    duration: .milliseconds(5)))
        }
    }

    @Test func probes_tellWhomToAsk() throws {
        let (_, directory) = try makePolicy("balancing: prequal")
        #expect(Set(directory.endpointsToProbe()) == [a, b])
        let told = LoadReport(
            namedMetrics: ["requests_in_flight": 50, "latency_seconds": 0.001])
        #expect(directory.takeProbe(told, from: a))
        let idle = LoadReport(namedMetrics: ["requests_in_flight": 0, "latency_seconds": 0.001])
        #expect(directory.takeProbe(idle, from: b))
        #expect(tally(directory, 10) == [b: 10])
    }

    @Test func probes_withoutALatency_tellOfRequestsAlone() throws {
        let (_, directory) = try makePolicy("balancing: prequal")
        #expect(directory.takeProbe(LoadReport(namedMetrics: ["requests_in_flight": 7]), from: a))
        #expect(directory.takeProbe(LoadReport(namedMetrics: ["requests_in_flight": 0]), from: b))
        #expect(tally(directory, 10) == [b: 10])
    }

    @Test(arguments: [Double.greatestFiniteMagnitude, 0])
    func probes_withFiguresOfAnySize_doNoHarm(figure: Double) throws {
        let (_, directory) = try makePolicy("balancing: prequal")
        let report = LoadReport(
            namedMetrics: ["requests_in_flight": figure, "latency_seconds": figure])
        #expect(directory.takeProbe(report, from: a))
        #expect(tally(directory, 10).values.reduce(0, +) == 10)
    }

    @Test func endpoint_thatDoesNotTellOfRequests_hasNotAnswered() throws {
        let (_, directory) = try makePolicy("balancing: prequal")
        #expect(!directory.takeProbe(LoadReport(cpuUtilization: 1), from: a))
    }

    @Test(arguments: [
        ("balancing: prequal", true),
        ("balancing: prequal, probes: {enabled: false}", false),
        ("balancing: prequal, health: {protocol: tcp}", false),
        ("balancing: least_request", false),
    ])
    func pools_areProbedWherePrequalCanBeTold(pool: String, isProbed: Bool) throws {
        let (policy, _) = try makePolicy(pool)
        #expect((policy.current.pools.first?.probeSignal != nil) == isProbed)
    }

    @Test(
        arguments: [
            ("health: {}", .milliseconds(100)),
            ("load_report_seconds: 2", .seconds(2)),
            ("load_report_seconds: 0", nil),
            ("balancing: least_request", .milliseconds(100)),
            ("balancing: prequal", nil),
            ("balancing: round_robin", nil),
        ] as [(String, Duration?)])
    func nodes_areAskedWhereReportsCount(pool: String, interval: Duration?) throws {
        let (policy, _) = try makePolicy(pool)
        var traffic = TrafficPolicy()
        traffic.pools = policy.current.pools.map(\.settings)
        #expect(try traffic.upstreamOptions()["p"]?.loadReportInterval == interval)
    }
}

/// Keeps what it is told of load, and picks nothing.
private struct RecordingBalancer: Balancer {
    private(set) var reports: [EndpointID: [LoadSample]] = [:]

    let weights: [EndpointID: Double] = [:]
    let healthyEndpoints: [EndpointID] = []

    mutating func add(_ id: EndpointID, now: Duration) {}

    mutating func remove(_ id: EndpointID) {}

    mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {}

    mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {
        reports[id, default: []].append(sample)
    }

    mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? { nil }
}
