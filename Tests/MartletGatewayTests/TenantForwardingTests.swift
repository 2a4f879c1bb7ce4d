import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Tenants as nodes are told of them")
struct TenantForwardingTests {
    /// A gateway with the key `secret` of the tenant `team-a`.
    private func policy(_ more: String = "") async throws -> GatewayPolicy {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-tenants-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let file = folder.appendingPathComponent("keys.yaml")
        let digest = SecretDigest(of: "secret").hex
        try "keys: [{id: alice, sha256: \(digest), tenant: team-a}]\n"
            .write(to: file, atomically: true, encoding: .utf8)
        let text = "endpoints: [a:1]\naccess: {api_keys_file: keys.yaml}\n\(more)"
        var settings = try #require(try readPolicy(text).policy.access)
        settings.apiKeysFile = file.path
        let access = try await AccessService(
            settings, fetch: { _, _ in throw CancellationError() }, logger: logger)
        return GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            access: access, logger: logger)
    }

    /// What a node is told of the tenants of a request by this path.
    private func told(_ policy: GatewayPolicy, _ api: RequestAPI, _ path: String) -> [String] {
        let plan = policy.plan(
            for: ForwardedRequest(
                api: api, method: "POST", path: path, authority: "g",
                fields: ["authorization": "Bearer secret", "x-martlet-tenant": "team-b"],
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        #expect(plan.refusal == nil)
        let added = plan.changes?.request.added ?? []
        return added.filter { $0.name == "x-martlet-tenant" }.map(\.value)
    }

    @Test(arguments: [
        (RequestAPI.rest, "/v1/chat/completions"), (.rest, "/v1/models/m:predict"),
        (.grpc, "/tensorflow.serving.PredictionService/Predict"),
    ])
    func aNode_isToldTheTenantOfTheCredential(api: RequestAPI, path: String) async throws {
        #expect(told(try await policy(), api, path) == ["team-a"])
    }

    @Test func whatARouteSays_goesBeforeTheCredential() async throws {
        let routes =
            "routes: [{name: r, headers: {request: {set: {x-martlet-tenant: everybody}}}}]\n"
        #expect(told(try await policy(routes), .rest, "/v1/completions") == ["everybody"])
    }
}
