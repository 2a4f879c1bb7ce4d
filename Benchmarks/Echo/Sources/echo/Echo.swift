import Dispatch
import Logging
import MartletCore
import MartletTransport

/// Sends back what it gets: what is measured is the transport alone.
struct Echo: RequestResponder {
    /// Answers from another thread, as engines do.
    let threads: DispatchQueue?

    func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        let response = HTTPResponse(
            status: 200, contentType: "application/json", body: request.body)
        guard let threads else {
            reply.send(response)
            return
        }
        threads.async { reply.send(response) }
    }

    func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        guard let threads else {
            reply.send(.message(call.message))
            return
        }
        threads.async { reply.send(.message(call.message)) }
    }

    func mayStream(path: String) -> Bool { false }

    func didRefuse(_ refusal: Refusal) {}
}

@main
enum Main {
    static func main() async throws {
        ProcessHeap.keepFreed()
        let arguments = CommandLine.arguments
        let port = arguments.count > 1 ? Int(arguments[1]) ?? 50051 : 50051
        let hops = arguments.contains("--hop")
        let listener = try await Listener.bind(
            host: "127.0.0.1", port: port,
            responder: Echo(threads: hops ? DispatchQueue(label: "engine") : nil),
            limits: Limits(), eventLoops: EventLoops(count: 1), logger: Logger(label: "echo"))
        print("listening on \(listener.address)")
        try await Task.sleep(for: .seconds(86_400))
    }
}
