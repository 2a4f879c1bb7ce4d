internal import Foundation
import MartletCore
import MartletEngines
import MartletTelemetry
import MartletTensors
import MartletTransport

/// What a node tells of itself over REST: health, metrics and the list of its models.
struct NodeRESTService: RESTService {
    let manager: ModelManager
    let health: NodeHealth
    let metrics: MetricsRegistry
    var monitoring = MonitoringOptions()

    func operation(
        method: String, path: String
    ) throws -> Operation<HTTPRequest, HTTPResponse>? {
        guard method == "GET" else { return nil }
        return switch path {
        case "/healthz/live":
            control("live") { .json("{\"status\": \"live\"}\n") }
        case "/healthz/ready":
            control("ready") { ready() }
        case "/metrics":
            control("metrics") {
                // An operator may have put TensorFlow Serving's metrics at the same path.
                .prometheus(
                    metrics.prometheusText()
                        + (monitoring.path == path ? monitoring.metrics.prometheusText() : []))
            }
        case monitoring.path:
            control("metrics") { .prometheus(monitoring.metrics.prometheusText()) }
        case _ where path.lowercased() == "/v1/models":
            control("models") { .json(models) }
        default: nil
        }
    }

    private func control(
        _ name: String, _ respond: @escaping @Sendable () -> HTTPResponse
    ) -> Operation<HTTPRequest, HTTPResponse> {
        Operation(name: name, lane: .control) { _, _ in .ready(respond()) }
    }

    private var allModels: [StatusJSON.Listed] {
        manager.modelNames.map { name in
            StatusJSON.Listed(
                name: name, versions: (try? manager.status(model: name)) ?? [],
                labels: manager.labels(of: name))
        }
    }

    /// All models as TensorFlow Serving's status has them, and the language models as OpenAI's list
    /// does: members of one object, so that the clients of both read it.
    private var models: [UInt8] {
        let language = manager.listedLanguageModels(
            created: Int(NodeRESTService.started.timeIntervalSince1970))
        let status = StatusJSON.models(allModels)
        guard let brace = status.firstIndex(of: UInt8(ascii: "{")) else { return status }
        return ListedModel.list(language).dropLast() + [UInt8(ascii: ",")]
            + status[status.index(after: brace)...]
    }

    private static let started = Date()

    private func ready() -> HTTPResponse {
        let readiness = health.readiness
        let (status, text, missing): (Int, String, [String]) =
            switch readiness {
            case .starting: (503, "starting", [])
            case .ready: (200, "ready", [])
            case .unavailable(let models): (503, "unavailable", models)
            case .stalled(let stalls): (503, "stalled", stalls.map(\.id.model))
            case .draining: (503, "draining", [])
            }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("status")
        writer.string(text)
        writer.key("unavailable")
        writer.beginArray()
        for name in missing { writer.string(name) }
        writer.endArray()
        if case .stalled(let stalls) = readiness {
            writer.key("reason")
            writer.string(
                "not ready: " + stalls.map(\.description).joined(separator: ", "))
        }
        writer.endObject()
        var response = HTTPResponse.json(writer.bytes + Array("\n".utf8))
        response.status = status
        response.headers.add(LoadReport.headerName, loadReport.headerValue)
        return response
    }

    /// How busy the node is, and what gateways have to know of what its language models keep.
    private var loadReport: LoadReport {
        var report = health.loadReport(besides: 1)
        let cells = manager.languageModels.reduce(0) { $0 + $1.load.cellsTotal }
        guard cells > 0 else { return report }
        report.kvTokensTotal = Double(cells)
        report.startSeconds = NodeRESTService.started.timeIntervalSince1970.rounded()
        return report
    }
}

extension HTTPResponse {
    fileprivate static func prometheus(_ text: [UInt8]) -> HTTPResponse {
        HTTPResponse(
            status: 200, contentType: MetricsRegistry.prometheusContentType, body: text)
    }

    /// An answer in JSON.
    static func json(_ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(status: 200, contentType: "application/json", body: body)
    }

    /// An answer in JSON.
    static func json(_ body: String) -> HTTPResponse { json(Array(body.utf8)) }
}
