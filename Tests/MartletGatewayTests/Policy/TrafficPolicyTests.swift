import MartletConfiguration
import Testing

@testable import MartletGateway

@Suite("Traffic policy")
struct TrafficPolicyTests {
    @Test func oneLine_isEnough() throws {
        let policy = try readPolicy("endpoints: [10.0.0.1:8500, 'nodes:8501']").policy
        #expect(policy.pools.map(\.name) == ["default"])
        #expect(
            policy.pools[0].endpoints.map(\.address.description) == ["10.0.0.1:8500", "nodes:8501"])
        #expect(policy.routes == [TrafficPolicy.Route(name: "default", pool: "default")])
        #expect(policy.listen == .init(host: "127.0.0.1", port: 8080))
        #expect(policy.admin == .init(host: "127.0.0.1", port: 8081, tokenFile: nil))
        #expect(policy.tls == nil && policy.access == nil)
        #expect(policy.pools[0].balancing == .dynamicWeightedRoundRobin)
    }

    @Test func defaultsThatExisted_stayTheSame() throws {
        let policy = try readPolicy("endpoints: [a:1]").policy
        let health = HealthTracker.Configuration()
        #expect(policy.pools[0].health.failuresToUnhealthy == health.failuresToUnhealthy)
        #expect(policy.pools[0].health.successesToHealthy == health.successesToHealthy)
        let budget = RetryBudget()
        #expect(policy.routes[0].retries.budgetShare == budget.ratio)
        #expect(policy.routes[0].retries.budgetMin == budget.retriesMin)
        #expect(policy.routes[0].retries.attemptsMax == 3)
        #expect(policy.routes[0].timeouts.total == .seconds(300))
        #expect(policy.routes[0].priority == .normal)
    }

    @Test func example_isReadWithoutWarnings() throws {
        let reading = try readPolicy(try repositoryFile("Examples/gateway/gateway.yaml"))
        #expect(reading.warnings == [])
        let policy = reading.policy
        #expect(policy.pools.map(\.name) == ["main", "language", "next"])
        #expect(policy.routes.map(\.name) == ["chat", "fraud", "vision", "legacy", "everything"])
        // The alias of the file's checks.
        #expect(policy.pools.map(\.health.timeout) == [.milliseconds(500)] * 3)
        #expect(policy.tls?.certificateFile == "/etc/martlet/certs/gateway.pem")
        #expect(policy.tls?.clientCertificates == .optional)
        #expect(policy.tls?.revocationFile == "/etc/martlet/certs/revoked.pem")
        #expect(policy.access?.jwt?.keysURL == "https://login.example.com/.well-known/jwks.json")
        #expect(policy.pools[1].dns?.record == .service)
        let fraud = policy.routes[1]
        #expect(fraud.match.path == .template("/v1/models/{model}:predict"))
        #expect(fraud.usesCache)
        #expect(fraud.hedging?.delay == .quantile(0.95))
        #expect(fraud.canary?.baseline == .label("stable"))
        #expect(fraud.canary?.candidate == .number(8))
        #expect(fraud.canary?.rollback.latencyMax == .milliseconds(80))
        #expect(policy.routes[2].split.map(\.weight) == [90, 10])
        #expect(policy.routes[0].requestHeaders.set == [.init("x-served-by", "martlet")])
        #expect(policy.routes[0].responseHeaders.add == [.init("cache-control", "no-store")])
        #expect(policy.routes[4].shadow?.target == .pool("next"))
        #expect(policy.routes[4].shadow?.compare?.absolute == 1e-6)
        #expect(policy.cache.redis?.isCluster == true)
    }

    @Test func everythingWrong_isToldAtOnceInTheOrderOfLines() {
        let text = """
            listen:
              prot: 8080
            pools:
              - name: main
                endpoints: [10.0.0.1]
                balancing: round_robbin
            routes:
              - name: all
                split:
                  - {pool: mian, weight: -3}
            """
        #expect(
            faults(of: text) == [
                "2:3: listen.prot: unknown key; did you mean 'port'?",
                "5:17: pools[0].endpoints[0]: '10.0.0.1' is not a host and a port; "
                    + "expected an address such as 10.0.0.1:8500",
                "6:16: pools[0].balancing: 'round_robbin' is not one of "
                    + "dynamic_weighted_round_robin, round_robin, least_request, peak_ewma, prequal, "
                    + "consistent_hash, prefix_aware; did you mean 'round_robin'?",
                "10:16: routes[0].split[0].pool: there is no pool 'mian'; did you mean 'main'?",
                "10:30: routes[0].split[0].weight: -3 is out of range; "
                    + "expected a whole number from 0 to 1000000",
            ])
    }

    @Test(arguments: [
        ("", "1:1: one of 'endpoints', 'pools' is missing; add it"),
        ("- a", "1:1: a list is not a section; expected the keys 'listen', 'admin', 'tls', "),
        ("endpoints: a:1", "1:12: endpoints: 'a:1' is not a list; expected a list"),
        ("endpoints: [a:0]", "1:13: endpoints[0]: 'a:0' has port 0; "),
        ("endpoints: ['http://a:1']", "1:13: endpoints[0]: 'http://a:1' is not a host and a port"),
        ("endpoints: [{weight: 2}]", "1:13: endpoints[0]: 'address' is missing; add it"),
        ("pools: [{name: a}]", "1:9: pools[0]: one of 'endpoints', 'dns' is missing; add it"),
        (
            "pools: [{name: a, endpoints: [b:1], dns: {name: c, port: 1}}]",
            "1:9: pools[0]: 'endpoints', 'dns' exclude each other; keep one of them"
        ),
        (
            "pools: [{name: a, endpoints: [b:1], breakers: {pending_requests_max: 0}}]",
            "1:70: pools[0].breakers.pending_requests_max: 0 is out of range; "
        ),
        (
            "pools: [{name: a b, endpoints: [b:1]}]",
            "1:16: pools[0].name: 'a b' has other characters"
        ),
    ])
    func fileThatLacksOrHasTooMuch_isRefused(text: String, message: String) {
        let found = faults(of: text)
        #expect(found.contains { $0.hasPrefix(message) }, "\(found)")
    }

    @Test(arguments: [
        ("match: {hosts: ['a/b']}", "match.hosts[0]: 'a/b' is not a host"),
        ("match: {hosts: ['*.']}", "match.hosts[0]: '*.' is not a host"),
        ("match: {methods: [post]}", "match.methods[0]: 'post' is not in capital letters"),
        ("match: {path_exact: v1}", "match.path_exact: 'v1' does not begin with '/'"),
        ("match: {path_prefix: '/a?b'}", "match.path_prefix: '/a?b' contains '?'"),
        ("match: {path_prefix: '/a/../b'}", "match.path_prefix: '/a/../b' would be refused"),
        ("match: {path_exact: '/a/{b}'}", "which only 'path_template' understands"),
        ("match: {path_template: '/a/{b}{c}'}", "needs variables such as {model}"),
        (
            "match: {path_exact: /a, path_prefix: /b}",
            "match: 'path_exact', 'path_prefix' exclude each other"
        ),
        ("match: {models: [a/b]}", "match.models[0]: 'a/b' has one of '/', ':' and '='"),
        ("match: {headers: [{name: 'a b'}]}", "'a b' is not the name of a header field"),
        (
            "match: {headers: [{name: a, exact: b, present: true}]}",
            "match.headers[0]: 'exact', 'present' exclude each other"
        ),
        ("cache: yes", "cache: 'yes' is neither of the two; expected true or false"),
        ("priority: urgent", "priority: 'urgent' is not one of critical, high, normal, low"),
        ("timeouts: {total_seconds: 0}", "timeouts.total_seconds: 0 is out of range"),
        ("retries: {failures: [timout]}", "retries.failures[0]: 'timout' is not one of"),
        ("retries: {failures: [timeout]}", "'timeout' is not one of connect_failed"),
        ("retries: {failures: [bad_response]}", "'bad_response' is not one of connect_failed"),
        ("hedging: {}", "hedging: one of 'delay_seconds', 'delay_percentile' is missing"),
        ("fallbacks: [{}]", "fallbacks[0]: one of 'model', 'pool' is missing"),
        ("fallbacks: [{model: 'a b'}]", "fallbacks[0].model: 'a b' has other characters"),
        ("fallbacks: [{model: 'a\"'}]", "fallbacks[0].model: 'a\"' has other characters"),
        ("fallbacks: []", "fallbacks: a list of 0 items"),
        ("timeouts: {between_tokens_seconds: 0}", "timeouts.between_tokens_seconds: 0 is out of"),
        ("timeouts: {tokens_assumed: -1}", "timeouts.tokens_assumed: -1 is out of range"),
        ("limits: {body_bytes: 1XB}", "limits.body_bytes: '1XB' is not a number of bytes"),
        ("headers: {request: {set: {host: a}}}", "'host' is set by the gateway itself"),
        ("headers: {request: {add: {'a b': c}}}", "'a b' is not the name of a header field"),
        ("headers: {response: {add: {a: ' b'}}}", "' b' has spaces around it"),
        ("headers: {response: {add: {a: \"b\\nc\"}}}", "contains a control character"),
        ("rewrite: {}", "rewrite: one of 'path_prefix', 'model', 'version', 'label' is missing"),
        ("rewrite: {version: 1, label: a}", "rewrite: 'version', 'label' exclude each other"),
        ("rewrite: {label: '12'}", "rewrite.label: '12' is a number"),
        ("rewrite: {model: '..'}", "rewrite.model: '..' is no name in a path"),
        ("canary: {model: m, candidate: {version: 1}}", "canary: 'baseline' is missing; add it"),
        ("canary: {model: m, baseline: {}, candidate: {version: 1}}", "baseline: one of 'version'"),
        ("shadow: {percent: 5}", "shadow: one of 'pool', 'version', 'label' is missing"),
        ("shadow: {version: 1, percent: 0}", "shadow.percent: 0 is out of range"),
    ])
    func routeThatIsWrong_isRefusedWithItsKey(route: String, message: String) {
        let found = faults(of: "endpoints: [a:1]\nroutes:\n  - name: r\n    \(route)")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix("4:") == true, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test(arguments: [
        ("tls: {key_file: k}", "tls: 'certificate_file' is missing; add it"),
        (
            "tls: {certificate_file: c, key_file: k, minimum_version: tls1.1}",
            "tls.minimum_version: 'tls1.1' is not one of tls1.2, tls1.3"
        ),
        ("access: {}", "access: one of 'api_keys_file', 'jwt' is missing; add it"),
        (
            "access: {jwt: {issuer: i, audience: a}}",
            "access.jwt: one of 'jwks_file', 'jwks_url' is missing; add it"
        ),
        (
            "access: {jwt: {issuer: i, audience: a, jwks_url: 'http://x/k'}}",
            "access.jwt.jwks_url: 'http://x/k' does not begin with https://"
        ),
        (
            "access: {jwt: {issuer: i, audience: a, jwks_url: 'https://u@x/k'}}",
            "access.jwt.jwks_url: 'https://u@x/k' has no host"
        ),
        (
            "access: {jwt: {issuer: i, audience: a, jwks_file: k, jwks_ca_file: c}}",
            "access.jwt: 'jwks_file', 'jwks_ca_file' exclude each other"
        ),
        ("cache: {redis: {cluster: true}}", "cache.redis: 'addresses' is missing; add it"),
        ("cache: {redis: {addresses: []}}", "cache.redis.addresses: a list of 0 items"),
        (
            "access: {api_keys_file: k, redis: {tls: true}}",
            "access.redis: 'addresses' is missing; add it"
        ),
        (
            "access: {redis: {addresses: [a:1]}}",
            "access: one of 'api_keys_file', 'jwt' is missing; add it"
        ),
    ])
    func sectionThatIsWrong_isRefusedWithItsKey(section: String, message: String) {
        let found = faults(of: "endpoints: [a:1]\n\(section)")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test func changes_thatNeedARestart_areNamed() throws {
        let before = try readPolicy("endpoints: [a:1]").policy
        let after = try readPolicy("endpoints: [b:1]\nlisten: {port: 1}\nadmin: {host: b}").policy
        #expect(after.changesThatNeedRestart(from: before) == ["listen.port", "admin.host"])
        #expect(before.changesThatNeedRestart(from: before) == [])
        let shared = try readPolicy(
            "{endpoints: [a:1], access: {api_keys_file: k, redis: {addresses: [a:1]}}}"
        ).policy
        #expect(shared.changesThatNeedRestart(from: before) == ["access.redis"])
        #expect(before.changesThatNeedRestart(from: shared) == ["access.redis"])
    }

    @Test func fileThatIsNotThere_isNamed() {
        let error = #expect(throws: ConfigurationError.self) {
            try TrafficPolicy.load(file: "/nonexistent/gateway.yaml")
        }
        #expect(
            error?.description == "/nonexistent/gateway.yaml: cannot be read: there is no such file"
        )
    }

    @Test func moreRoutesThanAllowed_areRefused() {
        let routes = (0...1000).map { "  - name: r\($0)" }.joined(separator: "\n")
        #expect(
            faults(of: "endpoints: [a:1]\nroutes:\n\(routes)")
                == ["3:3: routes: a list of 1001 items; expected 0 to 1000"])
    }
}

/// So many times the same.
private func * <Element>(items: [Element], count: Int) -> [Element] {
    (0..<count).flatMap { _ in items }
}
