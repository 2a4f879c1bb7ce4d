import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Models that are asked in place of others")
struct FallbackTests {
    private let metrics = MetricsRegistry()
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)

    /// A gateway with a pool `p` of a:1 and a pool `q` of b:2.
    private func policy(
        _ route: String, pool: String = "", key: String? = nil
    ) async throws -> GatewayPolicy {
        var text = """
            pools: [{name: p, endpoints: [a:1]\(pool)}, {name: q, endpoints: [b:2]}]
            routes: [{name: r, pool: p, \(route)}]

            """
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var access: AccessService?
        if let key {
            let folder = FileManager.default.temporaryDirectory
                .appendingPathComponent("martlet-fallback-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("keys.yaml")
            let digest = SecretDigest(of: "secret").hex
            try "keys: [{id: alice, sha256: \(digest), tenant: t, \(key)}]\n"
                .write(to: file, atomically: true, encoding: .utf8)
            text += "access: {api_keys_file: keys.yaml}\n"
            var settings = try #require(try readPolicy(text).policy.access)
            settings.apiKeysFile = file.path
            access = try await AccessService(
                settings, fetch: { _, _ in throw CancellationError() }, logger: logger)
        }
        let rules = GatewayRules(try readPolicy(text).policy, now: .zero)
        let ready = HealthCheckOutcome(isReady: true, isDegraded: false, load: nil, models: [])
        for pool in rules.pools {
            for address in pool.directory.addresses {
                _ = pool.directory.checkEnded(
                    address, ready, begunAt: pool.directory.checkBegins(address))
            }
        }
        return GatewayPolicy(
            rules: rules, journal: GatewayJournal(metrics: metrics, accessLog: .disabled),
            access: access, logger: logger)
    }

    /// What is decided of a request when its body is there.
    private func plan(
        _ policy: GatewayPolicy, _ body: String = #"{"model":"large"}"#,
        path: String = "/v1/chat/completions", fields: HeaderFields = [:]
    ) throws -> ForwardingPlan {
        var all = fields
        all.add("authorization", "Bearer secret")
        all.add("content-length", "\(body.utf8.count)")
        let plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: path, authority: "g", fields: all,
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        return try policy.decided(plan, body)
    }

    private func fallback(
        _ policy: GatewayPolicy, _ plan: ForwardingPlan, _ failure: ForwardingFailure? = .refused,
        _ body: String = #"{"model":"large"}"#
    ) -> FallbackForwarding? {
        policy.fallback(
            after: UnansweredForwarding(plan: plan, failure: failure, body: Array(body.utf8)))
    }

    private func text(_ body: [UInt8]?) -> String? {
        body.map { String(decoding: $0, as: UTF8.self) }
    }

    private func finish(_ policy: GatewayPolicy, _ plan: ForwardingPlan, status: Int = 200) {
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: "/v1/chat/completions", httpStatus: status,
                grpcStatus: nil, tried: [b], requestBytes: 1, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil), plan)
    }

    private func count(_ model: String, _ fallback: String, _ reason: String) -> Bool {
        String(decoding: metrics.prometheusText(), as: UTF8.self).contains(
            "martlet_gateway_fallbacks_total{model=\"\(model)\",fallback=\"\(fallback)\","
                + "reason=\"\(reason)\"} 1\n")
    }

    @Test func modelWithoutRoom_isReplacedInBodyAndPool() async throws {
        let policy = try await policy("fallbacks: [{model: small, pool: q}]")
        let plan = try plan(policy)
        #expect(plan.mayFallBack)
        #expect(try policy.firstUpstream(plan) == a)
        let other = try #require(fallback(policy, plan))
        #expect(other.upstream == b)
        #expect(text(other.plan.newBody) == #"{"model":"small"}"#)
        #expect(other.plan.changes?.contentLength == 17)
        #expect(
            other.plan.changes?.response.added == [.init("x-martlet-fallback-model", "small")])
        #expect(!other.plan.mayFallBack)
        #expect(count("large", "small", "refused"))
        // The attempts of both are counted where they are.
        let pools = policy.current.pools
        #expect(pools.map { $0.directory.status.endpoints[0].inFlight } == [1, 1])
        for (address, plan) in [(a, plan), (b, other.plan)] {
            policy.didEnd(
                EndedAttempt(
                    upstream: address, result: .answered(httpStatus: 200, grpcStatus: nil),
                    duration: .seconds(1)), plan)
        }
        #expect(pools.map { $0.directory.status.endpoints[0].inFlight } == [0, 0])
        // It has nothing more in its place.
        #expect(fallback(policy, other.plan, .refused, #"{"model":"small"}"#) == nil)
    }

    /// Vectors have no length, and nodes may refuse what they do not know.
    @Test func embeddingsElsewhere_areHeldToNoLength() async throws {
        let policy = try await policy(
            "fallbacks: [{pool: q}]", key: "quotas: {output_tokens_per_request: 9}")
        let plan = try plan(policy, path: "/v1/embeddings")
        #expect(try policy.firstUpstream(plan) == a)
        let other = try #require(fallback(policy, plan))
        #expect(other.upstream == b && other.plan.newBody == nil)
    }

    @Test func completionElsewhere_hasItsUsualLength() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small, pool: q}]",
            key: "quotas: {models: {small: {output_tokens_per_request: 100}}}")
        let plan = try plan(policy, path: "/v1/completions")
        #expect(try policy.firstUpstream(plan) == a)
        let other = try #require(fallback(policy, plan))
        #expect(text(other.plan.newBody) == #"{"max_tokens":16,"model":"small"}"#)
    }

    @Test(arguments: [
        (ForwardingFailure.refused, "refused"), (.full, "full"), (.unprocessed, "full"),
        (.connectFailed, "unreachable"), (.upstreamLost, "unreachable"),
        (.attemptTimedOut, "timeout"),
    ])
    func everyWayToHaveNoRoom_leadsToAnother(
        failure: ForwardingFailure, reason: String
    ) async throws {
        let policy = try await policy("fallbacks: [{model: small}]")
        #expect(fallback(policy, try plan(policy), failure)?.upstream == a)
        #expect(count("large", "small", reason))
    }

    @Test(arguments: [ForwardingFailure.connectionClosed, .serverError, .timedOut])
    func whatIsNoLackOfRoom_leadsNowhere(failure: ForwardingFailure) async throws {
        let policy = try await policy("fallbacks: [{model: small}]")
        #expect(fallback(policy, try plan(policy), failure) == nil)
    }

    @Test func withoutAHealthyEndpoint_theOtherPoolIsAsked() async throws {
        let policy = try await policy(
            "fallbacks: [{pool: q}]")
        _ = policy.current.pools[0].directory.connectionFailed(a)
        let plan = try plan(policy)
        #expect(throws: ForwardingRefusal.self) { try policy.firstUpstream(plan) }
        let other = try #require(fallback(policy, plan, nil))
        #expect(other.upstream == b && other.plan.newBody == nil)
        #expect(other.plan.changes?.contentLength == nil)
        #expect(count("large", "large", "no_endpoint"))
    }

    @Test func poolThatIsFull_isPassedBy() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small, pool: q}]", pool: ", breakers: {requests_max: 1}")
        #expect(try policy.firstUpstream(try plan(policy)) == a)
        let plan = try plan(policy)
        #expect(throws: ForwardingRefusal.self) { try policy.firstUpstream(plan) }
        #expect(fallback(policy, plan, nil)?.upstream == b)
        #expect(count("large", "small", "full"))
    }

    @Test func poolThatShedsLoad_isPassedByAndCountsNobody() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small, pool: q}]",
            pool: ", adaptive_concurrency: {requests_min: 1, requests_max: 1}")
        let first = try plan(policy)
        #expect(try policy.firstUpstream(first) == a)
        let plan = try plan(policy)
        #expect(throws: ForwardingRefusal.self) { try policy.firstUpstream(plan) }
        let other = try #require(fallback(policy, plan, nil))
        #expect(other.upstream == b)
        #expect(count("large", "small", "shed"))
        // What was not let in has no place to give back.
        finish(policy, other.plan)
        #expect(throws: ForwardingRefusal.self) { try policy.firstUpstream(try self.plan(policy)) }
        finish(policy, first)
        #expect(try policy.firstUpstream(try self.plan(policy)) == a)
    }

    @Test func chain_isGoneThroughInOrderAndEnds() async throws {
        let policy = try await policy(
            "fallbacks: [{model: medium}, {model: small, pool: q}, {pool: q}]")
        let first = try #require(fallback(policy, try plan(policy)))
        #expect(text(first.plan.newBody) == #"{"model":"medium"}"# && first.upstream == a)
        let second = try #require(
            fallback(policy, first.plan, .refused, #"{"model":"medium"}"#))
        #expect(text(second.plan.newBody) == #"{"model":"small"}"# && second.upstream == b)
        // The model that was asked first, elsewhere.
        let third = try #require(fallback(policy, second.plan, .refused, #"{"model":"small"}"#))
        #expect(text(third.plan.newBody) == #"{"model":"large"}"# && third.upstream == b)
        #expect(
            third.plan.changes?.response.added == [.init("x-martlet-fallback-model", "large")])
        #expect(fallback(policy, third.plan) == nil)
        #expect(count("large", "medium", "refused") && count("large", "small", "refused"))
    }

    @Test func whatWasAsked_isNotAskedAgain() async throws {
        let policy = try await policy("fallbacks: [{model: small}]")
        let body = #"{"model":"small"}"#
        #expect(fallback(policy, try plan(policy, body), .refused, body) == nil)
    }

    @Test func requestThatWantsItsModel_keepsIt() async throws {
        let policy = try await policy("fallbacks: [{model: small}]")
        let plan = try plan(policy, fields: ["x-martlet-fallback": "None"])
        #expect(!plan.mayFallBack && fallback(policy, plan) == nil)
    }

    @Test func onlyWhatCanBeAskedOtherwise_is() async throws {
        let policy = try await policy("fallbacks: [{model: small}, {pool: q}]")
        let embeddings = try plan(policy, path: "/v1/embeddings")
        let other = try #require(fallback(policy, embeddings))
        // Vectors of another model mean something else.
        #expect(other.plan.newBody == nil && other.upstream == b)
        for path in ["/v1/responses", "/v1/models/large:predict", "/v1/rerank"] {
            #expect(try !plan(policy, path: path).mayFallBack, "\(path)")
        }
    }

    @Test func modelThatACredentialDoesNotAllow_isPassedBy() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small}, {model: medium}]", key: "scope: {models: [large, medium]}")
        let other = try #require(fallback(policy, try plan(policy)))
        #expect(text(other.plan.newBody) == #"{"model":"medium"}"#)
    }

    @Test func quotaOfTheModelThatIsServed_isUsed() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small}]",
            key: "quotas: {models: {large: {concurrent: 1}, small: {concurrent: 1}}}")
        let first = try plan(policy)
        let other = try #require(fallback(policy, first))
        // The place at the first model is free again, that at the other is taken.
        let second = try plan(policy)
        #expect(fallback(policy, second) == nil)
        let small = #"{"model":"small"}"#
        #expect(throws: ForwardingRefusal.self) { try plan(policy, small) }
        finish(policy, other.plan)
        finish(policy, second)
        finish(policy, try plan(policy, small))
        finish(policy, try plan(policy))
    }

    @Test func lengthThatTheClientLeftOpen_isThatOfTheModelThatIsServed() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small}, {model: medium}]",
            key: "quotas: {models: {large: {output_tokens_per_request: 50}, "
                + "small: {output_tokens_per_request: 30}}}")
        let first = try plan(policy)
        let sent = try #require(text(first.newBody))
        #expect(sent == #"{"max_tokens":50,"model":"large"}"#)
        let other = try #require(fallback(policy, first, .refused, sent))
        #expect(text(other.plan.newBody) == #"{"max_tokens":30,"model":"small"}"#)
        // What the client asks for itself is not cut short: that model is passed by.
        let asked = #"{"max_tokens":40,"model":"large"}"#
        let third = fallback(policy, try plan(policy, asked), .refused, asked)
        #expect(text(third?.plan.newBody) == #"{"max_tokens":40,"model":"medium"}"#)
    }

    @Test func completion_hasItsUsualLengthAtAnotherModelToo() async throws {
        let policy = try await policy(
            "fallbacks: [{model: small}]",
            key: "quotas: {models: {small: {output_tokens_per_request: 30}}}")
        let plan = try plan(policy, path: "/v1/completions")
        #expect(plan.newBody == nil)
        #expect(text(fallback(policy, plan)?.plan.newBody) == #"{"max_tokens":16,"model":"small"}"#)
    }

    @Test func embeddings_haveNoLengthInAnotherPool() async throws {
        let policy = try await policy(
            "fallbacks: [{pool: q}]",
            key: "quotas: {models: {large: {output_tokens_per_request: 30}}}")
        let plan = try plan(policy, path: "/v1/embeddings")
        #expect(try #require(fallback(policy, plan)).plan.newBody == nil)
    }

    @Test func answerOfAnother_isNotKeptForTheFirst() async throws {
        let policy = try await policy("cache: true, fallbacks: [{model: small, pool: q}]")
        let body = #"{"model":"large","temperature":0}"#
        let plan = try plan(policy, body)
        #expect(plan.keptAnswerBytes != nil)
        let other = try #require(fallback(policy, plan, .refused, body))
        #expect(other.plan.keptAnswerBytes == nil)
        finish(policy, other.plan)
        // Nobody waits for it either: the next one asks a node itself.
        #expect(try self.plan(policy, body).state is RequestState)
    }

    @Test func manyModels_areCountedTogetherInTheEnd() {
        let counter = FallbackCounter(metrics)
        for number in 0..<1002 { counter.add("small", insteadOf: "m\(number)", .refused) }
        #expect(count("m999", "small", "refused") && !count("m1000", "small", "refused"))
        #expect(
            String(decoding: metrics.prometheusText(), as: UTF8.self)
                .contains("{model=\"other\",fallback=\"other\",reason=\"refused\"} 2\n"))
    }
}
