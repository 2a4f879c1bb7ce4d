import MartletCore
import MartletTelemetry

/// The gateway's metrics beside those of requests.
enum GatewayMetrics {
    static func register(in metrics: MetricsRegistry, policy: GatewayPolicy) {
        ProcessMetrics.register(in: metrics)
        metrics.gaugeFamily(
            "martlet_build_info", help: "The version of this build; always 1.",
            labelNames: ["version"]
        ).with(martletVersion).set(1)
        endpointGauge(
            "healthy", "Whether the endpoint's checks succeed: 1 or 0.", metrics, policy
        ) { $0.healthy ? 1 : 0 }
        endpointGauge(
            "ejected", "Whether the endpoint is out of use for how it answered: 1 or 0.", metrics,
            policy
        ) { $0.ejected ? 1 : 0 }
        endpointGauge("weight", "The endpoint's share relative to others.", metrics, policy) {
            $0.weight
        }
        endpointGauge("in_flight", "Requests the endpoint is answering.", metrics, policy) {
            Double($0.inFlight)
        }
        registerPolicy(in: metrics, policy)
        registerProtection(in: metrics, policy)
        registerPrefixes(in: metrics, policy)
        registerKeys(in: metrics, policy)
    }

    /// How fetches of issuers' keys went.
    private static func registerKeys(in metrics: MetricsRegistry, _ policy: GatewayPolicy) {
        metrics.collector(
            "martlet_gateway_key_fetches_total",
            help: "Fetches of the keys of token issuers, by what came of them.", kind: .counter,
            labelNames: ["issuer", "outcome"]
        ) { samples in
            for report in policy.access?.keyFetches ?? [] {
                for (outcome, count) in report.counts {
                    samples.add(Double(count), labels: report.issuer, outcome.rawValue)
                }
            }
        }
        metrics.collector(
            "martlet_gateway_keys_age_seconds",
            help: "Time since the keys of a token issuer were fetched; while they never were, "
                + "since the issuer is known.", labelNames: ["issuer"]
        ) { samples in
            for report in policy.access?.keyFetches ?? [] {
                samples.add(report.age.seconds, labels: report.issuer)
            }
        }
    }

    /// How well prompts are sent to where their beginnings are.
    private static func registerPrefixes(in metrics: MetricsRegistry, _ policy: GatewayPolicy) {
        metrics.collector(
            "martlet_gateway_prefix_blocks_total",
            help: "Blocks of prompts sent, by whether the endpoint was thought to hold them (held) "
                + "or not (computed).",
            kind: .counter, labelNames: ["pool", "outcome"]
        ) { samples in
            for pool in policy.current.pools {
                guard let blocks = pool.directory.prefixBlocks else { continue }
                samples.add(Double(blocks.held), labels: pool.settings.name, "held")
                samples.add(
                    Double(blocks.sent - blocks.held), labels: pool.settings.name, "computed")
            }
        }
    }

    /// What the cache has done and how canaries stand, if there are any.
    private static func registerPolicy(in metrics: MetricsRegistry, _ policy: GatewayPolicy) {
        metrics.collector(
            "martlet_gateway_cache_lookups_total",
            help: "Lookups in the response cache, by what came of them.", labelNames: ["outcome"]
        ) { samples in
            guard let counters = policy.current.cache?.counters else { return }
            samples.add(Double(counters.hits), labels: "hit")
            samples.add(Double(counters.staleHits), labels: "stale")
            samples.add(Double(counters.misses), labels: "miss")
            samples.add(Double(counters.follows), labels: "shared")
            samples.add(Double(counters.detours), labels: "detour")
        }
        metrics.collector(
            "martlet_gateway_cache_bytes", help: "Memory that cached answers take.", labelNames: []
        ) { samples in
            guard let counters = policy.current.cache?.counters else { return }
            samples.add(Double(counters.bytes))
        }
        metrics.collector(
            "martlet_gateway_cache_memory_pressure",
            help: "How scarce memory is to the gateway, from 0 to 1; cached answers live shorter.",
            labelNames: []
        ) { samples in
            guard let cache = policy.current.cache else { return }
            samples.add(cache.memoryPressure)
        }
        metrics.collector(
            "martlet_gateway_canary_weight",
            help: "The share of requests that a canary's candidate gets, from 0 to 1.",
            labelNames: ["route"]
        ) { samples in
            for route in policy.current.routes {
                guard let canary = route.canaryState else { continue }
                samples.add(canary.weight, labels: route.settings.name)
            }
        }
    }

    /// What came of copies of requests, and what limits did.
    private static func registerProtection(in metrics: MetricsRegistry, _ policy: GatewayPolicy) {
        metrics.collector(
            "martlet_gateway_shadow_total",
            help: "Copies of requests, by route and by what came of them.",
            labelNames: ["route", "outcome"]
        ) { samples in
            for route in policy.current.routes {
                guard let counts = route.shadow?.soFar else { continue }
                let report = counts.report
                for (outcome, count) in [
                    ("equal", report.equal), ("different", report.compared - report.equal),
                    ("unanswered", report.unanswered), ("dropped", counts.dropped),
                ] {
                    samples.add(Double(count), labels: route.settings.name, outcome)
                }
            }
        }
        metrics.collector(
            "martlet_gateway_limit_reached_total",
            help: "How often a pool's limit (breakers) was the reason why no endpoint was asked.",
            labelNames: ["pool", "limit"]
        ) { samples in
            for pool in policy.current.pools {
                for (limit, count) in pool.directory.limitRefusals {
                    samples.add(Double(count), labels: pool.settings.name, limit.rawValue)
                }
            }
        }
        metrics.collector(
            "martlet_gateway_concurrency_limit",
            help: "Requests that a pool can bear at once, by how long its answers take.",
            labelNames: ["pool"]
        ) { samples in
            for pool in policy.current.pools {
                guard let limit = pool.concurrencyLimit else { continue }
                samples.add(Double(limit), labels: pool.settings.name)
            }
        }
    }

    private static func endpointGauge(
        _ name: String, _ help: String, _ metrics: MetricsRegistry,
        _ policy: GatewayPolicy, value: @escaping @Sendable (EndpointStatus) -> Double
    ) {
        metrics.collector(
            "martlet_gateway_endpoint_\(name)", help: help, labelNames: ["endpoint"]
        ) { samples in
            for endpoint in policy.current.status.endpoints {
                samples.add(value(endpoint), labels: endpoint.address)
            }
        }
    }
}
