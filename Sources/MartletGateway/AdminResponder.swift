import MartletCore
import MartletTelemetry
import MartletTransport

/// Answers on the gateway's admin listener: metrics, health and the endpoints' state.
struct AdminResponder: RequestResponder {
    let policy: GatewayPolicy
    let reloader: PolicyReloader
    let metrics: MetricsRegistry
    let access: AdminPortAccess

    func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        if let refusal = access.refusal(of: request) {
            var response = error(refusal.status, refusal.message)
            if refusal.status == 401 {
                response.headers.add("www-authenticate", "Bearer realm=\"martlet-admin\"")
            }
            reply.send(response)
        } else if request.method == "POST" {
            change(request, reply)
        } else {
            reply.send(answer(to: request))
        }
    }

    /// Does what changes something.
    private func change(_ request: HTTPRequest, _ reply: Reply<HTTPResponse>) {
        let rollback = "/v1/routes/"
        if request.path == "/v1/policy:reload" {
            Task {
                do {
                    let late = try await reloader.reload()
                    let list = late.map { "\"\($0)\"" }.joined(separator: ", ")
                    reply.send(json(200, "{\"needs_restart\": [\(list)]}\n"))
                } catch {
                    let fault = error as? ServingError
                    reply.send(
                        self.error(fault?.code.httpStatus ?? 400, "\(fault?.message ?? "\(error)")")
                    )
                }
            }
        } else if request.path.hasPrefix(rollback), request.path.hasSuffix("/canary:rollback") {
            let name = request.path.dropFirst(rollback.count).dropLast("/canary:rollback".count)
            reply.send(rollBack(String(name)))
        } else {
            reply.send(notFound(request))
        }
    }

    private func rollBack(_ name: String) -> HTTPResponse {
        guard let route = policy.current.routes.first(where: { $0.settings.name == name }),
            let canary = route.canaryState
        else { return error(404, "There is no route '\(name)' with a canary") }
        guard !canary.state.isFinal else {
            return error(409, "The canary of route '\(name)' is \(canary.state.word) already")
        }
        policy.journal.note(route.rollBack(), of: name, policy.logger)
        return json(200, "{\"route\": \"\(name)\", \"weight\": 0}\n")
    }

    private func notFound(_ request: HTTPRequest) -> HTTPResponse {
        error(404, "Not found: \(request.method) \(request.path)")
    }

    private func error(_ status: Int, _ message: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: errorBody(message))
    }

    func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        reply.send(.failure(.unimplemented, "The admin listener has no gRPC methods"))
    }

    func didRefuse(_ refusal: Refusal) {}

    func didEnd(_ flood: HTTP2Flood) { policy.journal.didEnd(flood) }

    private func answer(to request: HTTPRequest) -> HTTPResponse {
        switch (request.method, request.path) {
        case ("GET", "/metrics"):
            return HTTPResponse(
                status: 200, contentType: MetricsRegistry.prometheusContentType,
                body: metrics.prometheusText())
        case ("GET", "/healthz/live"): return json(200, "{\"status\": \"live\"}\n")
        case ("GET", "/healthz/ready"):
            return policy.current.isReady
                ? json(200, "{\"status\": \"ready\"}\n")
                : json(503, "{\"status\": \"unavailable\", \"reason\": \"no healthy endpoint\"}\n")
        case ("GET", EndpointsStatus.path):
            guard let body = try? policy.current.status.json() else {
                return error(500, "The status cannot be written as JSON")
            }
            return HTTPResponse(status: 200, contentType: "application/json", body: body)
        case ("GET", "/v1/policy"): return json(200, PolicyStatus(policy.current))
        case ("GET", let path): return shadowReport(path) ?? notFound(request)
        default: return notFound(request)
        }
    }

    /// What comparing the answers to copies of a route's requests has shown.
    private func shadowReport(_ path: String) -> HTTPResponse? {
        let prefix = "/v1/routes/"
        guard path.hasPrefix(prefix), path.hasSuffix("/shadow") else { return nil }
        let name = path.dropFirst(prefix.count).dropLast("/shadow".count)
        guard let route = policy.current.routes.first(where: { $0.settings.name == name }),
            let shadow = route.shadow
        else { return error(404, "There is no route '\(name)' with a shadow") }
        return json(200, ShadowStatus(route: route.settings.name, shadow.soFar))
    }

    private func json(_ status: Int, _ value: some Encodable) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: value.jsonBytes())
    }

    private func json(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: Array(text.utf8))
    }
}

extension CanaryController.State {
    /// The state in a word.
    var word: String {
        switch self {
        case .progressing: "progressing"
        case .held: "held"
        case .completed: "completed"
        case .rolledBack: "rolled_back"
        }
    }
}
