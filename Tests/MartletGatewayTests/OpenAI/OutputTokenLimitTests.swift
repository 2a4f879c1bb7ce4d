import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Limits on the length of answers")
struct OutputTokenLimitTests {
    private let limit = OutputTokenLimit(most: 100)

    private func applied(_ body: String, _ call: OpenAICall = .chatCompletions) throws -> String? {
        let body = try limit.applied(to: Array(body.utf8), of: call)
        return body.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        #"{"max_tokens":100}"#, #"{"model":"m","max_completion_tokens":1e2}"#,
        #"{"max_tokens":0}"#, #"{"max_output_tokens":5,"n_predict":7}"#,
        #"{"max_tokens":5,"messages":[{"max_tokens":1000}]}"#,
    ])
    func withinTheLimit_staysAsItIs(body: String) throws {
        #expect(try applied(body) == nil)
    }

    @Test(arguments: [
        (#"{"max_tokens":101}"#, "'max_tokens' is 101"),
        (#"{"max_completion_tokens":1e9}"#, "'max_completion_tokens' is 1e9"),
        (#"{"n_predict":-1,"max_tokens":5}"#, "'n_predict' is -1"),
        (#"{"max_tokens":5,"max_tokens":500}"#, "'max_tokens' is 500"),
        (#"{"max_output_tokens":"50"}"#, #"'max_output_tokens' is "50""#),
        (#"{"max_tokens":[1]}"#, "'max_tokens' is [1]"),
        (#"{"max_tokens":true}"#, "'max_tokens' is true"),
    ])
    func aboveTheLimit_isRefusedWithFieldValueAndLimit(body: String, told: String) throws {
        let error = try #require(throws: ServingError.self) { try applied(body) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.hasPrefix(told) && error.message.contains("up to 100,"))
        #expect(error.message.contains("output_tokens_per_request"))
    }

    @Test(arguments: [
        "", "[]", "{", #"{"max_tokens":5} x"#, #"{"max\u005ftokens":5}"#,
        "\u{1f}\u{8b}\u{8}",
    ])
    func whatMayBeReadOtherwise_isRefused(body: String) throws {
        let error = try #require(throws: ServingError.self) { try applied(body) }
        #expect(error.code == .invalidArgument && error.message.contains("JSON"))
    }

    @Test(arguments: [
        (#"{"model":"m"}"#, OpenAICall.chatCompletions, #"{"max_tokens":100,"model":"m"}"#),
        (" { }", .chatCompletions, #" {"max_tokens":100 }"#),
        (#"{"prompt":"a"}"#, .completions, #"{"max_tokens":16,"prompt":"a"}"#),
        (#"{"input":"a"}"#, .responses, #"{"max_output_tokens":100,"input":"a"}"#),
        (
            #"{"max_tokens":null,"n":1,"n_predict":null}"#, .chatCompletions,
            #"{"max_tokens":100,"n":1,"n_predict":100}"#
        ),
        (
            #"{"max_tokens":7,"max_tokens":null}"#, .chatCompletions,
            #"{"max_tokens":7,"max_tokens":7}"#
        ),
    ])
    func withoutALength_getsOne(body: String, call: OpenAICall, sent: String) throws {
        #expect(try applied(body, call) == sent)
    }

    // MARK: Requests

    /// What is decided of a request when its body is there.
    private func plan(
        _ policy: GatewayPolicy, _ body: String, path: String = "/v1/chat/completions"
    ) throws -> ForwardingPlan {
        let plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: path, authority: "g",
                fields: ["authorization": "Bearer secret", "content-length": "\(body.utf8.count)"],
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        if let refusal = plan.refusal { throw refusal }
        return try policy.decided(plan, body)
    }

    private func refusal(
        _ policy: GatewayPolicy, _ body: String, path: String = "/v1/chat/completions"
    ) -> String? {
        do {
            _ = try plan(policy, body, path: path)
            return nil
        } catch {
            return (error as? ForwardingRefusal)?.error.message ?? "\(error)"
        }
    }

    @Test func key_limitsEachAnswerAndGivesItsQuotaBack() async throws {
        let policy = try await GatewayPolicy.keyed(
            quotas: "{output_tokens_per_request: 50, concurrent: 1}")
        for _ in 0..<3 {
            let told = refusal(policy, #"{"model":"m","max_tokens":51}"#)
            #expect(told?.contains("'max_tokens' is 51; give a number up to 50") == true)
        }
        let plan = try plan(policy, #"{"model":"m"}"#)
        let body = try #require(plan.newBody)
        #expect(String(decoding: body, as: UTF8.self) == #"{"max_tokens":50,"model":"m"}"#)
        #expect(plan.changes?.contentLength == body.count)
    }

    @Test func embeddings_haveNoLength() async throws {
        let policy = try await GatewayPolicy.keyed(quotas: "{output_tokens_per_request: 50}")
        let body = #"{"model":"m","max_tokens":51}"#
        #expect(try plan(policy, body, path: "/v1/embeddings").newBody == nil)
    }

    @Test func models_haveLimitsOfTheirOwnByAnyName() async throws {
        let policy = try await GatewayPolicy.keyed(
            quotas: "{models: {small: {output_tokens_per_request: 50}}}")
        for model in ["small", "small:1"] {
            let told = refusal(policy, "{\"model\":\"\(model)\",\"max_tokens\":51}")
            #expect(told?.contains("up to 50") == true)
        }
        #expect(refusal(policy, #"{"model":"large","max_tokens":51}"#) == nil)
    }

    @Test func route_limitsAnswersAndTheLeastLimitCounts() async throws {
        let policy = try await GatewayPolicy.keyed(
            quotas: "{output_tokens_per_request: 50}",
            route: ", limits: {output_tokens_per_request: 40}")
        #expect(refusal(policy, #"{"model":"m","max_tokens":45}"#)?.contains("up to 40") == true)
        #expect(refusal(policy, #"{"model":"m","max_tokens":40}"#) == nil)
    }

    /// A node that undoes the encoding would answer at length.
    @Test func route_limitsAnswersHoweverThePathIsWritten() throws {
        let text = """
            pools: [{name: p, endpoints: [a:1]}]
            routes: [{name: r, pool: p, limits: {output_tokens_per_request: 40}}]

            """
        let policy = GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for path in ["/v1/chat/completions", "/v1/chat/%63ompletions"] {
            let told = refusal(policy, #"{"max_tokens":45}"#, path: path)
            #expect(told?.contains("'max_tokens' is 45; give a number up to 40") == true, "\(path)")
            #expect(refusal(policy, #"{"max_tokens":40}"#, path: path) == nil, "\(path)")
        }
    }
}
