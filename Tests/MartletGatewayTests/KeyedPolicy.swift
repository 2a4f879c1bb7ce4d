import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

extension GatewayPolicy {
    /// A gateway with the key `secret`, which has these quotas, and a route to a pool of a:1.
    static func keyed(quotas: String, route: String = "") async throws -> GatewayPolicy {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-keys-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        let digest = SecretDigest(of: "secret").hex
        try "keys: [{id: a, sha256: \(digest), tenant: t, quotas: \(quotas)}]\n"
            .write(to: file, atomically: true, encoding: .utf8)
        let text = """
            pools: [{name: p, endpoints: [a:1]}]
            access: {api_keys_file: keys.yaml}
            routes: [{name: r, pool: p\(route)}]

            """
        var settings = try #require(try readPolicy(text).policy.access)
        settings.apiKeysFile = file.path
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return GatewayPolicy(
            rules: GatewayRules(try readPolicy(text).policy, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            access: try await AccessService(
                settings, fetch: { _, _ in throw CancellationError() }, logger: logger),
            logger: logger)
    }

    /// What becomes of a plan when the body is there that it waits for; throws a refusal.
    func decided(_ plan: ForwardingPlan, _ body: String) throws -> ForwardingPlan {
        var plan = plan
        for _ in 0..<3 where plan.awaitedBodyBytes != nil {
            let decision = Mutex<ForwardingDecision?>(nil)
            decide(plan, body: Array(body.utf8)) { new in decision.withLock { $0 = new } }
            switch try #require(decision.withLock { $0 }) {
            case .forward(let decided): return decided
            case .awaitBody(let decided): plan = decided
            case .refuse(let refusal): throw refusal
            case .answer: throw CancellationError()
            }
        }
        return plan
    }
}
