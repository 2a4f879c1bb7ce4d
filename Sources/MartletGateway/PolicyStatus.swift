internal import Foundation
import MartletCore

/// How a policy fares, as the admin API tells it.
struct PolicyStatus: Encodable {
    let routes: [Route]
    let pools: [Pool]
    let cache: Cache?

    /// A route.
    struct Route: Encodable {
        let name: String
        let canary: Canary?
        let shadow: Shadow?
    }

    /// A canary.
    struct Canary: Encodable {
        let state: String
        let weight: Double
        let answers: Int
    }

    /// Copies of requests.
    struct Shadow: Encodable {
        let sent: Int
        let dropped: Int
        let compared: Int
        let equal: Int
        let unanswered: Int
    }

    /// A pool.
    struct Pool: Encodable {
        let name: String
        let endpoints: Int
        let usable: Int
        let concurrency_limit: Int?
    }

    /// The response cache.
    struct Cache: Encodable {
        let hits: Int
        let misses: Int
        let shared: Int
        let entries: Int
        let bytes: Int
    }

    init(_ rules: GatewayRules) {
        routes = rules.routes.map { route in
            Route(
                name: route.settings.name,
                canary: route.canaryState.map {
                    Canary(state: $0.state.word, weight: $0.weight, answers: $0.answers)
                },
                shadow: route.shadow.map { Shadow($0.soFar) })
        }
        pools = rules.pools.map { pool in
            let endpoints = pool.directory.status.endpoints
            return Pool(
                name: pool.settings.name, endpoints: endpoints.count,
                usable: endpoints.count { $0.healthy && !$0.ejected },
                concurrency_limit: pool.concurrencyLimit)
        }
        cache = rules.cache.map { cache in
            let counters = cache.counters
            return Cache(
                hits: counters.hits, misses: counters.misses, shared: counters.follows,
                entries: counters.entries, bytes: counters.bytes)
        }
    }
}

extension PolicyStatus.Shadow {
    init(_ counts: ShadowRuntime.Counts) {
        self.init(
            sent: counts.sent, dropped: counts.dropped, compared: counts.report.compared,
            equal: counts.report.equal, unanswered: counts.report.unanswered)
    }
}

/// What comparing answers has shown, as the admin API tells it.
struct ShadowStatus: Encodable {
    let route: String
    let counts: PolicyStatus.Shadow
    /// Pairs of answers that differ in each kind of thing.
    let differences: [String: Int]
    let largest_absolute: Double
    let largest_relative: Double
    let examples: [Example]

    /// A pair of answers that differ.
    struct Example: Encodable {
        let request: String
        let differences: [Difference]
    }

    /// One thing in which they do.
    struct Difference: Encodable {
        let kind: String
        let path: String
        let primary: String
        let shadow: String
    }

    init(route: String, _ soFar: ShadowRuntime.Counts) {
        self.route = route
        counts = PolicyStatus.Shadow(soFar)
        let report = soFar.report
        differences = Dictionary(
            uniqueKeysWithValues: report.pairs.map { ($0.key.rawValue, $0.value) })
        largest_absolute = report.largestAbsolute
        largest_relative = report.largestRelative
        examples = report.examples.map { example in
            Example(
                request: example.request,
                differences: example.differences.map {
                    Difference(
                        kind: $0.kind.rawValue, path: $0.path, primary: $0.primary,
                        shadow: $0.shadow)
                })
        }
    }
}

extension Encodable {
    /// As JSON with its keys in order.
    func jsonBytes() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers that JSON has no words for do not occur in a report without answers.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return (try? encoder.encode(self)).map { Array($0) + [0x0A] } ?? []
    }
}
