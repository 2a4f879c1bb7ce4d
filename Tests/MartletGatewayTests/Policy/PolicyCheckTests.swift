import MartletConfiguration
import Testing

@testable import MartletGateway

@Suite("Checks across a traffic policy")
struct PolicyCheckTests {
    private static let pools = """
        pools:
          - {name: a, endpoints: [a:1]}
          - {name: b, endpoints: [b:1]}

        """

    private func warnings(of text: String) throws -> [String] {
        try readPolicy(text).warnings.map { $0.message(file: "") }
    }

    @Test(arguments: [
        ("  - {name: r, pool: c}", "5:21: routes[0].pool: there is no pool 'c'; did you mean 'a'?"),
        (
            "  - {name: r, pool: other}",
            "5:21: routes[0].pool: there is no pool 'other'; expected one of 'a', 'b'"
        ),
        (
            "  - {name: r, split: [{pool: a}, {pool: zzzz}]}",
            "5:41: routes[0].split[1].pool: there is no pool 'zzzz'; expected one of 'a', 'b'"
        ),
        (
            "  - {name: r, pool: a, shadow: {pool: zzzz}}",
            "5:39: routes[0].shadow.pool: there is no pool 'zzzz'; expected one of 'a', 'b'"
        ),
        (
            "  - {name: r, split: [{pool: a, weight: 0}]}",
            "5:22: routes[0].split: every weight is 0; raise one"
        ),
        ("  - {name: r}", "5:5: routes[0]: 'pool' or 'split' is missing; there are several pools"),
        (
            "  - {name: r, pool: a}\n  - {name: r, pool: b}",
            "6:12: routes[1].name: 'r' is already the name of the route at line 5; choose another"
        ),
        (
            "  - {name: r, pool: a, timeouts: {total_seconds: 1, per_try_seconds: 2}}",
            "5:70: routes[0].timeouts.per_try_seconds: is above 'total_seconds'; lower it"
        ),
        (
            "  - {name: r, pool: a, limits: {burst: 2}}",
            "5:40: routes[0].limits.burst: means nothing without 'requests_per_second'; add that"
        ),
        (
            "  - {name: r, pool: a, rewrite: {path_prefix: /x}}",
            "5:47: routes[0].rewrite.path_prefix: there is nothing to replace; "
                + "add 'path_prefix' to 'match'"
        ),
    ])
    func route_thatContradictsTheRest_isRefused(route: String, message: String) {
        #expect(faults(of: Self.pools + "routes:\n" + route) == [message])
    }

    @Test(arguments: [
        ("fallbacks: [{model: s, pool: c}]", "fallbacks[0].pool: there is no pool 'c'; did you"),
        ("fallbacks: [{model: s}, {model: s}]", "fallbacks[1]: asks what was asked before; name"),
        ("fallbacks: [{model: s}, {model: s, pool: a}]", "fallbacks[1]: asks what was asked befo"),
        ("fallbacks: [{pool: a}]", "fallbacks[0]: asks what was asked before; name another"),
        ("match: {models: [m]}, fallbacks: [{model: m}]", "fallbacks[0]: asks what was asked"),
        (
            "match: {path_prefix: /v1/models}, fallbacks: [{model: s}]",
            "fallbacks: is for requests by OpenAI's API whose body names the model "
                + "(/v1/chat/completions, /v1/completions), which 'match' leaves out; remove it"
        ),
        (
            "match: {path_exact: /v1/embeddings}, fallbacks: [{model: s}]",
            "fallbacks: is for requests by OpenAI's API whose body names the model "
        ),
        ("match: {methods: [GET]}, fallbacks: [{model: s}]", "fallbacks: is for requests by Ope"),
        (
            "timeouts: {total_seconds: 1, first_token_seconds: 2}",
            "timeouts.first_token_seconds: is above 'total_seconds'; lower it"
        ),
        (
            "timeouts: {total_seconds: 1, between_tokens_seconds: 2}",
            "timeouts.between_tokens_seconds: is above 'total_seconds'; lower it"
        ),
        (
            "timeouts: {tokens_assumed: 5}",
            "timeouts.tokens_assumed: means nothing without 'per_token_seconds'; add that"
        ),
        (
            "match: {path_prefix: /v1/models}, timeouts: {per_token_seconds: 1}",
            "timeouts.per_token_seconds: is for chats and completions by OpenAI's API, which "
        ),
        (
            "match: {path_exact: /v1/embeddings}, limits: {output_tokens_per_request: 5}",
            "limits.output_tokens_per_request: is for requests by OpenAI's API that say how long "
        ),
    ])
    func whatIsForLanguageModels_isRefusedWhereItMeansNothing(route: String, message: String) {
        let found = faults(of: Self.pools + "routes:\n  - {name: r, pool: a, \(route)}")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(" routes[0].\(message)") == true, "\(found)")
    }

    @Test(arguments: [
        "match: {path_prefix: /v1}, fallbacks: [{model: 's:1'}]",
        "match: {path_exact: /v1/embeddings}, fallbacks: [{pool: b}]",
        "match: {path_exact: /v1/responses}, limits: {output_tokens_per_request: 5}",
        "match: {models: [m, s]}, fallbacks: [{model: s}, {model: s, pool: b}, {pool: b}]",
        "match: {path_template: '/v1/{kind}/completions'}, timeouts: {first_token_seconds: 1}",
        "timeouts: {total_seconds: 1, first_token_seconds: 2, per_token_seconds: 0.1}",
    ])
    func whatIsForLanguageModels_isTaken(route: String) {
        #expect(faults(of: Self.pools + "routes:\n  - {name: r, pool: a, \(route)}") == [])
    }

    @Test(arguments: [
        (
            "model: m, baseline: {version: 1}, candidate: {version: 1}",
            "candidate: is version 1, which is the baseline too; name another"
        ),
        (
            "model: m, baseline: {version: 1}, candidate: {label: c}, weight_percent_start: 50, "
                + "weight_percent_max: 20",
            "weight_percent_start: is above 'weight_percent_max'; lower it"
        ),
        (
            "model: n, baseline: {version: 1}, candidate: {label: c}",
            "model: 'n' is not among 'models' of 'match', so no request is for it"
        ),
    ])
    func canary_thatMakesNoSense_isRefused(canary: String, message: String) {
        let found = faults(
            of: "endpoints: [a:1]\nroutes:\n  - name: r\n    match: {models: [m]}\n    "
                + "canary: {\(canary)}")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix("5:") == true, "\(found)")
        #expect(found.first?.hasSuffix("routes[0].canary.\(message)") == true, "\(found)")
    }

    @Test func canaryAndRewrite_doNotBothChooseTheVersion() {
        let found = faults(
            of: "endpoints: [a:1]\nroutes:\n  - name: r\n    rewrite: {version: 3}\n    "
                + "canary: {model: m, baseline: {version: 1}, candidate: {version: 2}}")
        #expect(
            found == [
                "5:13: routes[0].canary: chooses the version, and so does 'rewrite'; keep one"
            ])
    }

    @Test(arguments: [
        (
            "{name: a, endpoints: [x:1, y:1, x:1]}",
            "1:41: pools[0].endpoints[2]: x:1 is here twice; remove one of them"
        ),
        (
            "{name: a, endpoints: [x:1], hash_header: h}",
            "1:50: pools[0].hash_header: is for 'balancing: consistent_hash' and "
                + "'prefix_aware' alone; remove it or choose one of them"
        ),
        (
            "{name: a, endpoints: [x:1], probes: {spacing_seconds: 1}}",
            "1:45: pools[0].probes: is for 'balancing: prequal' alone; "
                + "remove it or choose that"
        ),
        (
            "{name: a, dns: {name: n}}",
            "1:24: pools[0].dns: 'port' is missing; add it, or ask for "
                + "'record: service'"
        ),
        (
            "{name: a, dns: {name: n, record: service, port: 1}}",
            "1:24: pools[0].dns: 'port' comes from DNS with 'record: service'; remove it"
        ),
        (
            "{name: a, dns: {name: n, port: 1, server: ns.example:53}}",
            "1:51: pools[0].dns.server: 'ns.example:53' is not an address and a port; expected a "
                + "name server's address such as 10.0.0.2:53 or [2001:db8::2]:53"
        ),
        (
            "{name: a, dns: {name: n, port: 1, server: '10.0.0.2:0'}}",
            "1:51: pools[0].dns.server: '10.0.0.2:0' has port 0; expected a name server's address "
                + "such as 10.0.0.2:53 or [2001:db8::2]:53"
        ),
        (
            "{name: a, endpoints: [x:1], tls: {key_file: k}}",
            "1:42: pools[0].tls: 'certificate_file' and 'key_file' need each other; add one"
        ),
        (
            "{name: a, endpoints: [x:1], health: {grpc_service: s}}",
            "1:60: pools[0].health.grpc_service: is for 'protocol: grpc' alone; remove it"
        ),
        (
            "{name: a, endpoints: [x:1], nearness: {prefer: zone}}",
            "1:56: pools[0].nearness.prefer: nothing says where the gateway is; "
                + "add 'zone' to 'locality'"
        ),
        (
            "{name: a, endpoints: [x:1], outliers: {ejection_seconds: 500}}",
            "1:66: pools[0].outliers.ejection_seconds: is above 'ejection_seconds_max'; lower it"
        ),
        (
            "{name: a, endpoints: [x:1], tls: {ca_file: missing}}",
            "1:52: pools[0].tls.ca_file: there is no file at '/etc/martlet/missing' that can be "
                + "read; create it or correct the path, which is relative to the policy's file"
        ),
    ])
    func pool_thatContradictsItself_isRefused(pool: String, message: String) {
        #expect(faults(of: "pools: [\(pool)]") == [message])
    }

    @Test func secondPoolOfAName_isRefused() {
        #expect(
            faults(
                of: "endpoints: [a:1]\npools: [{name: default, endpoints: [b:1]}]\n"
                    + "routes: [{name: r, pool: default}]")
                == [
                    "2:16: pools[0].name: 'default' is already the name of the pool at line 1; "
                        + "choose another"
                ])
    }

    @Test(arguments: [
        (
            "listen: {port: 1}\nadmin: {port: 1}",
            "admin.port: 1 is also listen.port; choose another"
        ),
        (
            "tls: {certificate_file: c, key_file: k, client_certificates: required}",
            "tls.client_certificates: nothing says who signs clients' certificates; "
                + "add 'client_ca_file'"
        ),
        (
            "cache: {ttl_seconds_min: 10, ttl_seconds_max: 5}",
            "cache.ttl_seconds_min: is above 'ttl_seconds_max'; lower it"
        ),
    ])
    func section_thatContradictsAnother_isRefused(section: String, message: String) {
        let found = faults(of: "endpoints: [a:1]\n\(section)")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasSuffix(message) == true, "\(found)")
    }

    @Test func poolThatCouldNotBeRead_isNotCalledUnknown() {
        let found = faults(
            of: "pools:\n  - {name: a, endpoints: [x]}\n  - {name: b, dns: 7}\n"
                + "routes:\n  - {name: r, pool: b}")
        #expect(!found.contains { $0.contains("there is no pool") }, "\(found)")
    }

    @Test func routeBehindOneThatIsWrong_hasItsPlaceAllTheSame() {
        let found = faults(
            of: "endpoints: [a:1]\nroutes:\n  - {pool: default}\n  - {name: r, pool: zzzz}")
        #expect(
            found == [
                "3:5: routes[0]: 'name' is missing; add it",
                "4:21: routes[1].pool: there is no pool 'zzzz'; expected one of 'default'",
            ])
    }

    // MARK: - Warnings

    @Test func routeBehindACatchAll_isWarnedOf() throws {
        let found = try warnings(
            of: """
                endpoints: [a:1]
                routes:
                  - name: all
                  - name: rest
                    match: {path_prefix: /v1}
                """)
        #expect(
            found == [
                ":4:5: routes[1]: the route 'rest' is never reached: 'all' at line 3 takes all its "
                    + "requests; put it before that one, or remove it"
            ])
    }

    @Test func whatIsProbablyNotMeant_isWarnedOf() throws {
        let cases = [
            (
                "endpoints: [a:1]\npools: [{name: b, endpoints: [b:1]}]\nroutes: [{name: r, pool: default}]",
                ":2:9: pools[0]: no route goes to the pool 'b'"
            ),
            (
                "endpoints: [a:1]\nroutes: [{name: r, shadow: {pool: default}}]",
                ":2:35: routes[0].shadow.pool: is the route's own pool"
            ),
            (
                "endpoints: [a:1]\nroutes: [{name: r, headers: {request: {set: {A: b}, remove: [a]}}}]",
                ":2:39: routes[0].headers.request: 'a' is set and removed"
            ),
            (
                "endpoints: [a:1]\nroutes: [{name: r, hedging: {delay_seconds: 400}}]",
                ":2:45: routes[0].hedging.delay_seconds: is not below 'total_seconds'"
            ),
            (
                "endpoints: [a:1]\ncache: {memory_bytes: 1KiB}",
                ":2:8: cache.entry_bytes_max: is more"
            ),
            (
                "endpoints: [a:1]\ntls: {certificate_file: c, key_file: k, client_ca_file: a}",
                ":2:6: tls: clients are not asked for certificates"
            ),
        ]
        for (text, warning) in cases {
            let found = try warnings(of: text)
            #expect(found.count == 1 && found[0].hasPrefix(warning), "\(found)")
        }
    }
}
