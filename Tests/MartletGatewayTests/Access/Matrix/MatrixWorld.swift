import Foundation
import Logging
import MartletCore
import MartletTelemetry
import Synchronization

@testable import MartletGateway
@testable import MartletTransport

/// A gateway's decisions, with a pool whose node serves the models of the matrix.
struct MatrixWorld {
    let policy: GatewayPolicy

    init(credentials: String) async throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-matrix-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try credentials.write(to: file, atomically: true, encoding: .utf8)
        let traffic = try readPolicy(
            """
            pools: [{name: p, endpoints: [a:1]}]
            access: {api_keys_file: keys.yaml}
            routes: [{name: r, pool: p}]

            """
        ).policy
        var access = traffic.access
        access?.apiKeysFile = file.path
        let rules = GatewayRules(traffic, now: .zero)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        policy = GatewayPolicy(
            rules: rules,
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            access: try await AccessService(
                access, fetch: { _, _ in throw CancellationError() }, logger: logger),
            logger: logger)
        let models = ["small", "big", "a1", "tag:b"]
        let outcome = HealthCheckOutcome(
            isReady: true, isDegraded: false, load: nil,
            models: models.map {
                ModelStatus(
                    name: $0, versions: [ModelVersionStatus(version: "1", state: "AVAILABLE")])
            },
            listed: Set(models + ["small-lora", "big-lora"]),
            parents: ["small-lora": "small", "big-lora": "big"])
        for pool in rules.pools {
            for address in pool.directory.addresses {
                let begun = pool.directory.checkBegins(address)
                _ = pool.directory.checkEnded(address, outcome, begunAt: begun)
            }
        }
    }

    /// What becomes of a request.
    func answer(
        _ route: MatrixRoute, _ spelling: String, _ fields: [(name: String, value: String)]
    ) -> MatrixAnswer {
        answer(
            route, MatrixSpelling.body(of: spelling, route.naming), fields,
            path: route.path.replacing("{m}", with: spelling))
    }

    func answer(
        _ route: MatrixRoute, _ body: [UInt8], _ fields: [(name: String, value: String)],
        path: String?
    ) -> MatrixAnswer {
        switch decision(route, body, fields, path: path) {
        case .success: .passed
        case .failure(let error):
            switch error.code {
            case .invalidArgument: .malformed
            case .unauthenticated: .unauthenticated
            case .permissionDenied: .denied
            default: .other
            }
        }
    }

    /// A request under way; nil for one that is refused.
    func held(
        _ route: MatrixRoute, _ name: String, _ fields: [(name: String, value: String)]
    ) -> ForwardingPlan? {
        try? decision(route, MatrixSpelling.body(of: name, route.naming), fields, path: nil).get()
    }

    /// A request is over.
    func end(_ plan: ForwardingPlan) {
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: "/", httpStatus: 200, grpcStatus: nil, tried: [],
                requestBytes: 1, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil), plan)
    }

    private func decision(
        _ route: MatrixRoute, _ body: [UInt8], _ fields: [(name: String, value: String)],
        path: String?
    ) -> Result<ForwardingPlan, ServingError> {
        let plan = policy.plan(
            for: ForwardedRequest(
                api: route.api, method: route.method, path: path ?? route.path, authority: "g",
                fields: HeaderFields(fields),
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        if let refusal = plan.refusal { return .failure(refusal.error) }
        guard plan.state is UndecidedRequest else { return .success(plan) }
        // Without a cache decisions come at once.
        let decision = Decided()
        policy.decide(plan, body: body) { made in decision.value.withLock { $0 = made } }
        switch decision.value.withLock(\.self) {
        case .forward(let plan), .awaitBody(let plan): return .success(plan)
        case .refuse(let refusal): return .failure(refusal.error)
        case .answer, nil: return .failure(ServingError(.internal, "There is no decision"))
        }
    }

    private final class Decided: Sendable {
        let value = Mutex<ForwardingDecision?>(nil)
    }
}

/// How a name is written.
enum MatrixSpelling {
    /// All spellings of a name that mean the same.
    static func all(of name: String, _ route: MatrixRoute) -> [String] {
        switch route.naming {
        case .path:
            let colon = name.replacing(":", with: "%3A").replacing("+", with: "%2B")
            let first = encoded(name.prefix(1)) + colon.dropFirst()
            return [colon, first, encoded(name[...])]
        case .none: return [name.replacing(":", with: "%3A")]
        case .body:
            return [name, #"\u0073mall"# + name.dropFirst(5)].filter {
                $0 == name || name.hasPrefix("small")
            }
        case .missing, .twice, .specification, .task, .first, .second: return [name]
        }
    }

    private static func encoded(_ text: Substring) -> String {
        text.utf8.map { "%" + String(Int($0), radix: 16) }.joined()
    }

    /// The body of a request for a model.
    static func body(of name: String, _ naming: MatrixNaming) -> [UInt8] {
        switch naming {
        case .path, .none: []
        case .body: Array(#"{"x":[{"model":"big"}],"model":"\#(name)"}"#.utf8)
        case .missing: Array(#"{"x":{"model":"\#(name)"}}"#.utf8)
        case .twice: Array(#"{"model":"\#(name)","mod\u0065l":"\#(name)"}"#.utf8)
        case .specification: frame(field(1, field(1, Array(name.utf8))))
        case .task: frame(field(1, field(1, field(1, Array(name.utf8)))))
        case .first: frame(field(1, Array(name.utf8)))
        case .second: frame(field(1, Array("small".utf8)) + field(2, Array(name.utf8)))
        }
    }

    /// A field of a message, shorter than 128 bytes.
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(bytes.count)] + bytes
    }

    private static func frame(_ message: [UInt8]) -> [UInt8] {
        [0, 0, 0, 0, UInt8(message.count)] + message
    }
}
