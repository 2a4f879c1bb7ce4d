import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Policy of the gateway")
struct GatewayPolicyTests {
    private let metrics = MetricsRegistry()
    private let directory: EndpointDirectory
    private let policy: GatewayPolicy
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)

    init() throws {
        let traffic = try TrafficPolicy.parse("endpoints: [a:1, b:2]\n", file: "g.yaml").policy
        let rules = GatewayRules(traffic, now: .zero)
        directory = try #require(rules.pools.first).directory
        policy = GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: metrics, accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let ready = HealthCheckOutcome(isReady: true, isDegraded: false, load: nil, models: [])
        for address in [a, b] {
            _ = directory.checkEnded(address, ready, begunAt: directory.checkBegins(address))
        }
    }

    @Test(arguments: [
        (RequestAPI.rest, "POST", "/v1/models/m:predict", true),
        (.rest, "POST", "/V1/Models/m/versions/1:predict", true),
        (.rest, "GET", "/v1/models/m", true),
        (.rest, "GET", "/anything", true),
        (.rest, "HEAD", "/anything", true),
        (.rest, "POST", "/v1/chat/completions", true),
        (.rest, "POST", "/v1/chat/other", false),
        (.rest, "POST", "/v1/models", false),
        (.rest, "PUT", "/v1/models/m", false),
        (.rest, "DELETE", "/v1/models/m", false),
        (.rest, "PATCH", "/v1/models/m", false),
        (.rest, "get", "/anything", false),
        (.rest, "", "", false),
        (.grpc, "POST", "/tensorflow.serving.PredictionService/Predict", true),
        (.grpc, "POST", "/tensorflow.serving.PredictionService/GetModelMetadata", true),
        (.grpc, "POST", "/tensorflow.serving.ModelService/GetModelStatus", true),
        (.grpc, "POST", "/grpc.health.v1.Health/Check", true),
        (.grpc, "POST", "/grpc.health.v1.Health/Watch", false),
        (.grpc, "POST", "/tensorflow.serving.SessionService/SessionRun", false),
        (.grpc, "POST", "/v1/models/m:predict", false),
        (.grpc, "POST", "", false),
    ])
    func plan_allowsRepeatingAndHoldingForWhatOnlyReads(
        api: RequestAPI, method: String, path: String, isUnary: Bool
    ) {
        let plan = policy.plan(for: request(api, method, path))
        #expect(plan.isIdempotent == isUnary)
        #expect(plan.holdsResponse == isUnary)
    }

    private func request(
        _ api: RequestAPI, _ method: String, _ path: String
    ) -> ForwardedRequest {
        ForwardedRequest(
            api: api, method: method, path: path, authority: "g",
            context: RequestContext(remoteAddress: "1.2.3.4:5"))
    }

    private var plan: ForwardingPlan {
        policy.plan(for: request(.rest, "POST", "/v1/models/m:predict"))
    }

    private func next(_ failure: ForwardingFailure) -> UpstreamAddress? {
        policy.nextUpstream(
            after: FailedForwarding(
                tried: [a], plan: plan, isReplayable: true,
                responseStarted: false, failure: failure))
    }

    private func retries(_ reason: String) -> Bool {
        String(decoding: metrics.prometheusText(), as: UTF8.self)
            .contains("martlet_gateway_retries_total{reason=\"\(reason)\"} 1\n")
    }

    @Test func connectionThatFails_isCountedRetriedElsewhereAndTakesTheEndpointOut() {
        #expect(next(.connectFailed) == b)
        #expect(retries("connect_failed"))
        #expect(directory.status.endpoints.map(\.failures) == [1, 0])
        #expect(directory.status.endpoints.map(\.healthy) == [false, true])
    }

    /// It may be well for all who come by HTTP/1.1.
    @Test func endpointWithoutHTTP2_isRetriedElsewhereAndLeftIn() {
        #expect(next(.noHTTP2) == b)
        #expect(directory.status.endpoints.map(\.healthy) == [true, true])
    }

    @Test func connectionThatCloses_isCountedRetriedElsewhereAndLeavesTheEndpointIn() {
        #expect(next(.connectionClosed) == b)
        #expect(retries("connection_closed"))
        #expect(directory.status.endpoints.map(\.failures) == [1, 0])
        #expect(directory.status.endpoints.map(\.healthy) == [true, true])
    }

    @Test func answerThatIsLate_isCountedAndNotRetried() {
        #expect(next(.timedOut) == nil)
        #expect(!retries("timeout"))
        #expect(directory.status.endpoints.map(\.failures) == [1, 0])
    }

    /// One that is lost, full or failing is asked again elsewhere, and not itself.
    @Test(arguments: [
        (ForwardingFailure.upstreamLost, "endpoint_lost"), (.refused, "refused"),
        (.serverError, "server_error"), (.attemptTimedOut, "attempt_timeout"),
    ])
    func endpointThatCannotAnswer_isPassedOver(failure: ForwardingFailure, reason: String) {
        #expect(next(failure) == b)
        #expect(retries(reason))
        let again = policy.nextUpstream(
            after: FailedForwarding(
                tried: [a, b], plan: plan, isReplayable: true, responseStarted: false,
                failure: failure))
        #expect(again == nil)
    }

    /// Nodes that are full must not use up what is there for connections that close.
    @Test func failuresThatNobodyElseCanMend_leaveTheBudgetAsItIs() {
        for _ in 0..<100 {
            let next = policy.nextUpstream(
                after: FailedForwarding(
                    tried: [a, b], plan: plan, isReplayable: true, responseStarted: false,
                    failure: .refused))
            #expect(next == nil)
        }
        #expect(next(.connectionClosed) == b)
    }

    /// One that has just had no room gets only what no other takes.
    @Test func endpointWithoutRoom_isSparedForAWhile() throws {
        #expect(next(.refused) == b)
        for _ in 0..<20 { #expect(try policy.firstUpstream(plan) == b) }
        _ = directory.connectionFailed(b)
        #expect(try policy.firstUpstream(plan) == a)
    }

    @Test func attempts_areCountedWhileTheyLast() throws {
        for _ in 0..<4 { _ = try policy.firstUpstream(plan) }
        policy.didEnd(
            EndedAttempt(upstream: a, result: .abandoned, duration: .zero), plan)
        #expect(directory.status.endpoints.map(\.inFlight) == [1, 2])
        #expect(directory.status.endpoints.map(\.requests) == [2, 2])
    }
}
