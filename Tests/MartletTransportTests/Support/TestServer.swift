import Foundation
import Logging
import MartletCore
import MartletTelemetry
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization

@testable import MartletTransport

/// Answers as a test says, and keeps what it saw.
final class TestResponder: RequestResponder {
    typealias AnswerHTTP = @Sendable (HTTPRequest, Reply<HTTPResponse>) -> Void
    typealias AnswerGRPC = @Sendable (GRPCCall, Reply<GRPCResponse>) -> Void
    typealias AnswerStream =
        @Sendable (GRPCStreamStart, GRPCStreamWriter) -> (any GRPCStreamHandler)?
    private let answerHTTP: AnswerHTTP
    private let answerGRPC: AnswerGRPC
    private let answerStream: AnswerStream
    private let refused = Mutex<[Refusal]>([])
    let loadReport: LoadReport?

    /// By default the server echoes: bodies over HTTP, messages over gRPC.
    init(
        http: @escaping AnswerHTTP = { $1.send(HTTPResponse(status: 200, body: $0.body)) },
        grpc: @escaping AnswerGRPC = { $1.send(.message($0.message)) },
        stream: @escaping AnswerStream = { _, _ in nil }, loadReport: LoadReport? = nil
    ) {
        self.loadReport = loadReport
        answerStream = stream
        answerHTTP = http
        answerGRPC = grpc
    }

    var refusals: [Refusal] { refused.withLock { $0 } }

    func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        answerHTTP(request, reply)
    }

    func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        answerGRPC(call, reply)
    }

    func stream(
        for start: GRPCStreamStart, writer: GRPCStreamWriter
    ) -> (any GRPCStreamHandler)? {
        answerStream(start, writer)
    }

    func didRefuse(_ refusal: Refusal) {
        refused.withLock { $0.append(refusal) }
    }
}

extension Limits {
    /// For clients that get their turn late, on a machine that runs other tests as well.
    static var patient: Limits {
        var limits = Limits()
        limits.headerTimeout = .seconds(600)
        limits.bodyTimeout = .seconds(600)
        limits.bodyBytesPerSecondMin = 0
        return limits
    }
}

extension ForwardingLimits {
    /// For upstreams that get their turn late as well.
    static var patient: ForwardingLimits {
        var limits = ForwardingLimits()
        limits.connectTimeout = .seconds(120)
        return limits
    }
}

/// A listener that runs for the length of a test.
struct TestServer: Sendable {
    let listener: Listener
    let eventLoops: EventLoops

    /// Tells the listener to shut down gracefully, as the end of a test's body does.
    let drain: @Sendable () -> Void

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body` beside a listener, which then shuts down gracefully.
    static func run(
        _ responder: any RequestResponder = TestResponder(),
        at address: ListenAddress = .tcp(host: "127.0.0.1", port: 0),
        options: ListenerOptions = ListenerOptions(), limits: Limits = .patient,
        _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        let eventLoops = EventLoops(count: 2)
        let result: Result<Void, any Error>
        do {
            let listener = try await Listener.bind(
                to: address, options: options, responder: responder, limits: limits,
                eventLoops: eventLoops, logger: silent)
            try await testGracefulShutdown { trigger in
                let server = TestServer(listener: listener, eventLoops: eventLoops) {
                    trigger.triggerGracefulShutdown()
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await listener.run() }
                    let result: Result<Void, any Error>
                    do {
                        result = .success(try await body(server))
                    } catch {
                        result = .failure(error)
                    }
                    trigger.triggerGracefulShutdown()
                    try result.get()
                    try await group.waitForAll()
                }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await eventLoops.shutDown()
        try result.get()
    }
}

/// A folder that is gone with the test.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        let name = "martlet-" + String(UInt32.random(in: .min ... .max), radix: 36)
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self(name)))
        return self(name)
    }
}

/// Keeps the last text it was told.
final class AddressNote: Sendable {
    private let value = Mutex<String?>(nil)

    var text: String? { value.withLock { $0 } }

    func note(_ text: String) { value.withLock { $0 = text } }
}
