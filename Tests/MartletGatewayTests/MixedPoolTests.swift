import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Pools whose endpoints serve different models")
struct MixedPoolTests {
    private static let policies = [
        "endpoints: [a:1, b:2]\n",
        "endpoints: [a:1, b:2]\nroutes: [{name: r, cache: true}]\n",
        "endpoints: [a:1, b:2]\nroutes: [{name: r, match: {models: [x, y]}}, {name: other}]\n",
        "endpoints: [a:1, b:2]\nroutes: [{name: r, timeouts: {first_token_seconds: 9}}]\n",
        "pools: [{name: p, endpoints: [a:1, b:2], balancing: prefix_aware}]\n",
    ]

    /// A gateway to a:1, which has version 1 of `x` with the adapter `l`, and to b:2, which has
    /// version 2 of `x`, and `y` and `o/z`.
    private func policy(_ text: String) throws -> GatewayPolicy {
        let rules = GatewayRules(try readPolicy(text).policy, now: .zero)
        let directory = try #require(rules.pools.first).directory
        check(directory, "a", 1, ["x": "1"], adapters: ["l"])
        check(directory, "b", 2, ["x": "2", "y": "1", "o/z": "1"])
        return GatewayPolicy(
            rules: rules,
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func check(
        _ directory: EndpointDirectory, _ host: String, _ port: Int, _ models: [String: String],
        adapters: Set<String> = [], state: String = "AVAILABLE"
    ) {
        let address = UpstreamAddress(host: host, port: port)
        let statuses = models.map { name, version in
            ModelStatus(
                name: name, versions: [ModelVersionStatus(version: version, state: state)])
        }
        let outcome = HealthCheckOutcome(
            isReady: true, isDegraded: false, load: nil, models: statuses,
            listed: adapters.union(models.keys))
        _ = directory.checkEnded(address, outcome, begunAt: directory.checkBegins(address))
    }

    private func plan(_ policy: GatewayPolicy, _ path: String) -> ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: path, authority: "g",
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    /// The hosts that twenty requests with this body go to.
    private func hosts(
        _ policy: GatewayPolicy, _ body: String, path: String = "/v1/chat/completions"
    ) throws -> Set<String> {
        var hosts: Set<String> = []
        for _ in 0..<20 {
            var plan = plan(policy, path)
            for _ in 0..<3 where plan.awaitedBodyBytes != nil {
                let decision = Mutex<ForwardingDecision?>(nil)
                policy.decide(plan, body: Array(body.utf8)) { new in
                    decision.withLock { $0 = new }
                }
                switch decision.withLock({ $0 }) {
                case .forward(var next)?:
                    next.awaitedBodyBytes = nil
                    plan = next
                case .awaitBody(let next)?: plan = next
                default: Issue.record("not forwarded")
                }
            }
            hosts.insert(try policy.firstUpstream(plan).host)
        }
        return hosts
    }

    @Test(arguments: policies)
    func requests_goToWhoHasTheModelOfTheirBody(text: String) throws {
        let policy = try policy(text)
        for (model, host) in [
            ("y", "b"), ("x:1", "a"), ("x:2", "b"), ("l", "a"), ("y:stable", "b"),
            (#"o\/z"#, "b"),
        ] {
            let body = #"{"messages":[{"role":"user","content":"hi"}],"model":"\#(model)"}"#
            #expect(try hosts(policy, body) == [host], "\(model)")
        }
    }

    @Test(arguments: OpenAICall.allCases)
    func everyPathOfTheAPI_isRoutedSo(call: OpenAICall) throws {
        let policy = try policy(Self.policies[0])
        #expect(try hosts(policy, #"{"model":"l"}"#, path: call.rawValue) == ["a"])
        #expect(try hosts(policy, #"{"model":"y"}"#, path: call.rawValue) == ["b"])
    }

    @Test(arguments: [#"{"model":"x"}"#, #"{"model":"unknown"}"#, "{}", "", "["])
    func whatAllHaveOrNobody_goesToAnyone(body: String) throws {
        #expect(try hosts(policy(Self.policies[0]), body) == ["a", "b"])
    }

    @Test(arguments: ["START", "LOADING", "UNLOADING"])
    func whoListsAModelThatItLoadsOnDemand_isAskedForIt(state: String) throws {
        let policy = try policy(Self.policies[0])
        let directory = try #require(policy.current.pools.first).directory
        check(directory, "b", 2, ["x": "1", "y": "1"], adapters: ["l"], state: state)
        for model in ["x", "l"] {
            #expect(try hosts(policy, #"{"model":"\#(model)"}"#) == ["a", "b"], "\(model)")
        }
        #expect(try hosts(policy, #"{"model":"y"}"#) == ["b"])
    }

    @Test func bodies_areAwaitedWhereItMatters_alone() throws {
        let mixed = try policy(Self.policies[0])
        #expect(plan(mixed, "/v1/completions").awaitedBodyBytes == PromptReader.bodyBytesMax)
        #expect(plan(mixed, "/v1/models/y:predict").awaitedBodyBytes == nil)
        let rules = GatewayRules(try readPolicy(Self.policies[0]).policy, now: .zero)
        let directory = try #require(rules.pools.first).directory
        for (host, port) in [("a", 1), ("b", 2)] { check(directory, host, port, ["x": "1"]) }
        mixed.replace(rules)
        #expect(plan(mixed, "/v1/completions").awaitedBodyBytes == nil)
    }

    @Test func aBodyThatIsTooLongToBeRead_goesToAnyone() throws {
        let policy = try policy(Self.policies[0])
        let decision = Mutex<ForwardingDecision?>(nil)
        policy.decide(plan(policy, "/v1/completions"), body: nil) { new in
            decision.withLock { $0 = new }
        }
        guard case .forward(let plan)? = decision.withLock({ $0 }) else {
            Issue.record("not forwarded")
            return
        }
        _ = try policy.firstUpstream(plan)
    }

    @Test func listing_namesAdapters() {
        let listing = """
            {"object":"list","data":[{"id":"x"},{"id":"l"}],"models":[{"name":"x",\
            "model_version_status":[{"version":"1","state":"AVAILABLE",\
            "status":{"error_code":"OK","error_message":""}}]}]}
            """
        func outcome(_ text: String) -> HealthCheckOutcome {
            HealthCheckOutcome(
                readiness: HTTPResponse(status: 200),
                listing: HTTPResponse(status: 200, body: Array(text.utf8)))
        }
        #expect(outcome(listing).listed == ["x", "l"])
        #expect(outcome(listing).models?.map(\.name) == ["x"])
        #expect(outcome(#"{"models":[]}"#).models == [])
        #expect(outcome(#"{"models":[],"data":7}"#).listed == [])
        let parents = outcome(
            #"{"models":[],"data":[{"id":"l","parent":"x"},{"id":"x","parent":null},"#
                + #"{"id":"y","parent":7}]}"#
        ).parents
        #expect(parents == ["l": "x"])
    }
}
