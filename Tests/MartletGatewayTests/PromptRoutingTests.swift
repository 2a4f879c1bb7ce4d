import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Requests that go by their prompt")
struct PromptRoutingTests {
    private let directory: EndpointDirectory
    private let policy: GatewayPolicy

    init() throws {
        let text = "pools: [{name: p, endpoints: [a:1, b:2], balancing: prefix_aware}]\n"
        let traffic = try TrafficPolicy.parse(text, file: "g.yaml").policy
        let rules = GatewayRules(traffic, now: .zero)
        directory = try #require(rules.pools.first).directory
        policy = GatewayPolicy(
            rules: rules,
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let ready = HealthCheckOutcome(isReady: true, isDegraded: false, load: nil, models: [])
        for address in [UpstreamAddress(host: "a", port: 1), UpstreamAddress(host: "b", port: 2)] {
            _ = directory.checkEnded(address, ready, begunAt: directory.checkBegins(address))
        }
    }

    private func plan(_ method: String, _ path: String) -> ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: method, path: path, authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    /// Where a chat goes, which has ended when this answers.
    private func endpoint(_ body: String?) throws -> UpstreamAddress {
        let address = try begun(body)
        directory.state.withLock { state in
            state.end(address.id, isRetry: false)
            state.balancer.didEnd(
                address.id, BalancedAttempt(latency: .seconds(1), hasFailed: false), now: .zero)
        }
        return address
    }

    /// Where a chat goes, which goes on.
    private func begun(_ body: String?) throws -> UpstreamAddress {
        let decision = Mutex<ForwardingDecision?>(nil)
        policy.decide(plan("POST", "/v1/chat/completions"), body: body.map { Array($0.utf8) }) {
            new in decision.withLock { $0 = new }
        }
        guard case .forward(let plan)? = decision.withLock({ $0 }) else {
            Issue.record("not forwarded")
            return UpstreamAddress(host: "none", port: 1)
        }
        return try policy.firstUpstream(plan)
    }

    private func chat(_ texts: String...) -> String {
        let messages = texts.map { #"{"role":"user","content":"\#($0)"}"# }
        return #"{"model":"m","messages":[\#(messages.joined(separator: ","))]}"#
    }

    @Test func body_isAwaitedOfPromptsAlone() {
        #expect(plan("POST", "/v1/chat/completions").awaitedBodyBytes == PromptReader.bodyBytesMax)
        #expect(plan("POST", "/v1/embeddings").awaitedBodyBytes == nil)
        #expect(plan("POST", "/v1/models/m:predict").awaitedBodyBytes == nil)
        #expect(plan("GET", "/v1/models").awaitedBodyBytes == nil)
    }

    @Test func conversations_stayWhereTheyBegan() throws {
        let texts = (0..<8).map { String(repeating: "talk \($0) ", count: 400) }
        let first = try texts.map { try endpoint(chat($0)) }
        #expect(Set(first).count == 2)
        for _ in 1...3 {
            let next = try texts.map { try endpoint(chat($0, "and then?")) }
            #expect(next == first)
        }
    }

    /// Endpoints of a policy file have weights in a unit of their own.
    @Test func chatsAtOnce_withABeginningOfAll_areSpread() throws {
        let common = String(repeating: "You are helpful. ", count: 180)
        let addresses = try (0..<8).map { talk in
            try begun(chat(common, String(repeating: "\(talk) ", count: 90)))
        }
        let atFirst = addresses.count { $0 == addresses[0] }
        #expect((3...5).contains(atFirst), "\(addresses)")
    }

    @Test func bodyThatIsNoPromptOrTooLong_isForwardedAllTheSame() throws {
        for body in [nil, "", "{", "[]", #"{"messages":1}"#] {
            _ = try endpoint(body)
        }
    }
}
