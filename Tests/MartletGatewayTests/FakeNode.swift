import Logging
import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization

@testable import MartletGateway

/// A node that answers health checks as it is told, on a port of its own.
final class FakeNode: RequestResponder {
    /// What the node says of itself.
    enum Condition: Sendable {
        /// All models answer.
        case ready
        /// One model answers, another does not.
        case degraded
        /// No model answers.
        case unavailable
        /// The node shuts down, though its models still answer.
        case draining
        /// Something that is no node answers.
        case nonsense
    }

    private let condition = Mutex(Condition.ready)
    private let report = Mutex<LoadReport?>(nil)

    /// Runs `body` with a node and a way to check it.
    static func run(
        _ body: (
            _ check: (Condition, LoadReport?) async throws -> HealthCheckOutcome
        ) async throws -> Void
    ) async throws {
        let node = FakeNode()
        let eventLoops = EventLoops(count: 1)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var patience = Limits()
        patience.headerTimeout = .seconds(120)
        let result: Result<Void, any Error>
        do {
            let listener = try await Listener.bind(
                host: "127.0.0.1", port: 0, responder: node, limits: patience,
                eventLoops: eventLoops, logger: logger)
            let address = UpstreamAddress(host: "127.0.0.1", port: listener.port)
            try await body { condition, report in
                node.condition.withLock { $0 = condition }
                node.report.withLock { $0 = report }
                return try await HealthCheck(.patient, encryption: nil, eventLoops: eventLoops)
                    .outcome(of: address)
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await eventLoops.shutDown()
        try result.get()
    }

    /// The outcome of a check of a node in this condition.
    static func outcome(
        _ condition: Condition, report: LoadReport? = nil
    ) async throws -> HealthCheckOutcome {
        var outcome = HealthCheckOutcome.unreachable
        try await run { check in outcome = try await check(condition, report) }
        return outcome
    }

    func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        let condition = condition.withLock { $0 }
        switch request.path {
        case "/healthz/ready": reply.send(readiness(condition))
        case "/v1/models": reply.send(json(200, listing(condition)))
        default: reply.send(json(404, "{}"))
        }
    }

    func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        reply.send(.failure(.unimplemented, ""))
    }

    func didRefuse(_ refusal: Refusal) {}

    private func readiness(_ condition: Condition) -> HTTPResponse {
        var response =
            switch condition {
            case .ready: json(200, #"{"status": "ready", "unavailable": []}"#)
            case .degraded, .unavailable:
                json(503, #"{"status": "unavailable", "unavailable": ["b"]}"#)
            case .draining: json(503, #"{"status": "draining", "unavailable": []}"#)
            case .nonsense: json(200, "<html></html>")
            }
        if let report = report.withLock({ $0 }) {
            response.headers.add(LoadReport.headerName, report.headerValue)
        }
        return response
    }

    private func listing(_ condition: Condition) -> String {
        func model(_ name: String, _ state: String) -> String {
            """
            {"name": "\(name)", "model_version_status": [{"version": "1", "state": "\(state)",
             "status": {"error_code": "OK", "error_message": ""}}]}
            """
        }
        return switch condition {
        case .ready, .draining: "{\"models\": [\(model("a", "AVAILABLE"))]}"
        case .degraded: "{\"models\": [\(model("a", "AVAILABLE")), \(model("b", "END"))]}"
        case .unavailable: "{\"models\": [\(model("b", "LOADING"))]}"
        case .nonsense: "<html></html>"
        }
    }

    private func json(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: Array(text.utf8))
    }
}

extension TrafficPolicy.Health {
    /// For a machine that is busy besides.
    static var patient: TrafficPolicy.Health {
        var health = TrafficPolicy.Health()
        health.timeout = .seconds(120)
        return health
    }
}
