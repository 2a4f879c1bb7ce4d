import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("OpenAI's API at the gateway")
struct OpenAICallTests {
    private let policy: GatewayPolicy

    init() throws {
        policy = GatewayPolicy(
            rules: GatewayRules(try readPolicy("endpoints: [a:1, b:2]").policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func request(_ path: String, method: String = "POST") -> ForwardedRequest {
        ForwardedRequest(
            api: .rest, method: method, path: path, authority: "g",
            context: RequestContext(remoteAddress: "1.2.3.4:5"))
    }

    // MARK: Attempts

    @Test func callsOfTheAPI_mayRunTwice_butForThoseThatServersKeep() {
        for call in OpenAICall.allCases {
            let plan = policy.plan(for: request(call.rawValue))
            #expect(plan.isIdempotent == (call != .responses), "\(call)")
            #expect(plan.holdsResponse == plan.isIdempotent)
        }
        for path in ["/v1/files", "/v1/chat/completions/x", "/v1/CHAT/completions"] {
            #expect(!policy.plan(for: request(path)).isIdempotent, "\(path)")
        }
        #expect(!policy.plan(for: request("/v1/chat/completions", method: "PUT")).isIdempotent)
    }

    @Test(arguments: [
        ForwardingFailure.connectionClosed, .refused, .upstreamLost, .connectFailed,
    ])
    func chatOfANodeThatFails_goesToAnother(failure: ForwardingFailure) throws {
        let ready = HealthCheckOutcome(isReady: true, isDegraded: false, load: nil, models: [])
        let addresses = [UpstreamAddress(host: "a", port: 1), UpstreamAddress(host: "b", port: 2)]
        let directory = try #require(policy.current.pools.first).directory
        for address in addresses {
            _ = directory.checkEnded(address, ready, begunAt: directory.checkBegins(address))
        }
        let plan = policy.plan(for: request("/v1/chat/completions"))
        let first = try policy.firstUpstream(plan)
        let next = policy.nextUpstream(
            after: FailedForwarding(
                tried: [first], plan: plan, isReplayable: true, responseStarted: false,
                failure: failure))
        #expect(next != nil && next != first)
        // Of a stream that has begun there is nothing to be sent again.
        let late = policy.nextUpstream(
            after: FailedForwarding(
                tried: [first], plan: plan, isReplayable: true, responseStarted: true,
                failure: failure))
        #expect(late == nil)
    }

    // MARK: Errors

    private struct Told: Decodable {
        struct Detail: Decodable {
            var message: String
            var type: String
            var param: String?
            var code: String?
        }
        var error: Detail
    }

    private func told(_ message: String, status: Int) throws -> Told.Detail {
        let content = OpenAIErrorContent(message, status: status)
        return try JSONDecoder().decode(Told.self, from: Data(content.bytes)).error
    }

    @Test(
        arguments: [
            (400, "invalid_request_error", nil), (401, "authentication_error", "invalid_api_key"),
            (403, "permission_error", "permission_denied"),
            (404, "invalid_request_error", "not_found"),
            (413, "invalid_request_error", "request_too_large"),
            (429, "rate_limit_error", "rate_limit_exceeded"),
            (500, "server_error", "internal_error"), (502, "server_error", "internal_error"),
            (503, "server_error", "service_unavailable"), (504, "server_error", "timeout"),
        ] as [(Int, String, String?)])
    func errors_haveTypeAndCode(status: Int, type: String, code: String?) throws {
        let told = try told("No", status: status)
        #expect(told.message == "No" && told.type == type && told.code == code)
        #expect(told.param == nil)
        let text = String(decoding: OpenAIErrorContent("No", status: status).bytes, as: UTF8.self)
        #expect(text.contains(#""param":null"#) && text.contains(#""code":"#))
    }

    @Test func messages_areWrittenSoThatTheyCanBeRead() throws {
        let message = "a \"b\" \\ \n\t\u{1}\u{1F} é 🦆 </x>"
        #expect(try told(message, status: 400).message == message)
    }

    @Test func errorsOfOtherPaths_haveTheFormOfNodes() {
        let error = ServingError(.notFound, "No")
        for path in ["/v1/models", "/v1/models/m:predict", "/v2/health/ready", "/"] {
            #expect(policy.body(telling: error, status: 404, to: request(path)) == nil)
        }
        for call in OpenAICall.allCases {
            for method in ["POST", "GET"] {
                let request = request(call.rawValue, method: method)
                #expect(policy.body(telling: error, status: 404, to: request) != nil)
            }
        }
    }
}
