import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Answers of language models that are charged")
struct TokenChargingTests {
    private static let chat = "/v1/chat/completions"
    private static let answer =
        #"{"model":"m","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":20}}"#

    private let metrics = MetricsRegistry()

    /// A gateway with a key `secret` of these quotas; nil for one that asks nobody for keys.
    private func policy(quotas: String?) async throws -> GatewayPolicy {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-tokens-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var text = "endpoints: [a:1]\n"
        var access: AccessService?
        if let quotas {
            text += "access: {api_keys_file: keys.yaml}\n"
            let file = folder.appendingPathComponent("keys.yaml")
            let digest = SecretDigest(of: "secret").hex
            try "keys: [{id: alice, sha256: \(digest), tenant: team-a, quotas: \(quotas)}]\n"
                .write(to: file, atomically: true, encoding: .utf8)
            var settings = try #require(try readPolicy(text).policy.access)
            settings.apiKeysFile = file.path
            access = try await AccessService(
                settings, fetch: { _, _ in throw CancellationError() }, logger: logger)
        }
        return GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: metrics, accessLog: .disabled), access: access,
            logger: logger)
    }

    private func plan(
        _ policy: GatewayPolicy, _ path: String = TokenChargingTests.chat, method: String = "POST"
    ) -> ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: method, path: path, authority: "g",
                fields: ["authorization": "Bearer secret", "accept-encoding": "gzip"],
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    /// A request is answered by this, in two pieces.
    private func finish(
        _ policy: GatewayPolicy, _ plan: ForwardingPlan, _ body: String, status: Int = 200,
        isStream: Bool = false, requestBytes: Int = 100
    ) {
        let bytes = Array(body.utf8)
        plan.observer?.answerBegins(status: status, isStream: isStream)
        for piece in [bytes.prefix(bytes.count / 2), bytes.dropFirst(bytes.count / 2)] {
            Array(piece).withUnsafeBytes { plan.observer?.answerContinues($0) }
        }
        end(policy, plan, status: status, requestBytes: requestBytes)
    }

    private func end(
        _ policy: GatewayPolicy, _ plan: ForwardingPlan, status: Int, requestBytes: Int = 100
    ) {
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: Self.chat, httpStatus: status, grpcStatus: nil,
                tried: [], requestBytes: requestBytes, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil), plan)
    }

    private func spent(_ tenant: String, _ kind: String, model: String = "m") -> String? {
        let name =
            #"martlet_gateway_tokens_total{tenant="\#(tenant)",model="\#(model)",kind="\#(kind)"}"#
        let text = String(decoding: metrics.prometheusText(), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: " ").last.map(String.init)
    }

    @Test func answers_areChargedUntilTheQuotaIsUsedUp() async throws {
        let policy = try await policy(quotas: "{tokens_per_minute: 100}")
        for _ in 0..<2 {
            let plan = plan(policy)
            #expect(plan.refusal == nil)
            finish(policy, plan, Self.answer)
        }
        let refused = plan(policy)
        #expect(refused.refusal?.error.code == .resourceExhausted)
        #expect(refused.refusal?.fields.first("retry-after") != nil)
        #expect(spent("team-a", "input") == "80" && spent("team-a", "output") == "40")
    }

    @Test func streamWithoutUsage_isChargedByItsEvents() async throws {
        let policy = try await policy(quotas: "{output_tokens_per_minute: 5}")
        let event = #"data: {"model":"m","choices":[{"text":"x"}]}"# + "\n\n"
        finish(policy, plan(policy), String(repeating: event, count: 4), isStream: true)
        finish(policy, plan(policy), event + "data: [DONE]\n\n", isStream: true)
        #expect(plan(policy).refusal != nil)
        #expect(spent("team-a", "input") == "52" && spent("team-a", "output") == "5")
    }

    @Test func whatCameToNothing_isNotCharged() async throws {
        let policy = try await policy(quotas: "{tokens_per_minute: 50}")
        finish(policy, plan(policy), Self.answer, status: 400)
        // The gateway's own answer, after one that was broken off.
        let lost = plan(policy)
        lost.observer?.answerBegins(status: 200, isStream: false)
        end(policy, lost, status: 503)
        // A client that left before, and an answer out of the cache.
        end(policy, plan(policy), status: 0)
        end(policy, plan(policy), status: 200)
        #expect(spent("team-a", "input") == nil)
        // Another attempt counts once.
        let second = plan(policy)
        second.observer?.answerBegins(status: 200, isStream: false)
        Array(Self.answer.utf8).withUnsafeBytes { second.observer?.answerContinues($0) }
        finish(policy, second, Self.answer)
        #expect(spent("team-a", "input") == "40")
        #expect(plan(policy).refusal != nil)
    }

    @Test func withoutKeys_tokensAreCounted() async throws {
        let policy = try await policy(quotas: nil)
        finish(policy, plan(policy), Self.answer)
        #expect(spent("anonymous", "input") == "40" && spent("anonymous", "output") == "20")
    }

    @Test func requests_areAskedPlainly_andOthersAreLeftAlone() async throws {
        for quotas in [nil, "{tokens_per_minute: 100}"] {
            let policy = try await policy(quotas: quotas)
            let chat = plan(policy)
            #expect(chat.observer != nil)
            #expect(chat.changes?.request.removed.contains("accept-encoding") == true)
            for (method, path) in [
                ("POST", "/v1/models/m:predict"), ("POST", "/v2/models/m/infer"),
                ("GET", "/v1/models"), ("POST", "/v1/other"),
            ] {
                let other = plan(policy, path, method: method)
                #expect(other.observer == nil, "\(path)")
                #expect(other.changes?.request.removed.contains("accept-encoding") != true)
            }
        }
    }

    @Test func manyTenants_areCountedTogetherInTheEnd() {
        let tokens = SpentTokens(metrics)
        for number in 0..<1002 {
            tokens.add(TokenSpend(input: 1, output: 2), tenant: "t\(number)", model: "m")
        }
        #expect(spent("t999", "output") == "2" && spent("t1000", "output") == nil)
        #expect(spent("other", "output", model: "other") == "4")
    }
}
