import MartletCore
import NIOCore
import Synchronization
import Testing

@testable import MartletTransport

/// Sends a number of requests one after the other on each lane, and keeps what came.
private final class CountingDriver: LoadDriver {
    private let answers: AnswerBook
    private var left: Int

    init(_ answers: AnswerBook, requests: Int) {
        self.answers = answers
        left = requests
    }

    func begin(on lane: LoadLane) { next(lane) }

    func reconnected(on lane: LoadLane) { next(lane) }

    func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane) {
        answers.book.withLock { $0.bytes += bytes }
    }

    func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int, on lane: LoadLane) {
        answers.book.withLock { $0.outcomes.append(outcome) }
        left -= 1
        next(lane)
    }

    func woke(on lane: LoadLane) {}

    private func next(_ lane: LoadLane) {
        guard left > 0 else { return lane.finish() }
        if lane.outstanding == 0 { _ = lane.send(0, token: 1) }
    }
}

private final class AnswerBook: Sendable {
    struct Book {
        var outcomes: [LoadOutcome] = []
        var bytes: [UInt8] = []
    }

    let book = Mutex(Book())
    var outcomes: [LoadOutcome] { book.withLock { $0.outcomes } }
    var bytes: [UInt8] { book.withLock { $0.bytes } }
}

@Suite("Lanes of a load")
struct LoadLanesTests {
    private func ask(
        _ server: TestServer, _ wire: LoadWire, requests: Int = 5, lanes: Int = 1,
        change: (inout LoadTarget) -> Void = { _ in }
    ) async throws -> AnswerBook {
        let port = server.listener.port
        var target = LoadTarget(
            host: "127.0.0.1", port: port, wire: wire,
            requests: [LoadRequest(path: "/s/m", body: [1, 2, 3])])
        target.connections = lanes
        target.keepsAnswers = true
        change(&target)
        let answers = AnswerBook()
        let open = try await LoadLanes.open(target, count: lanes, on: server.eventLoops)
        await open.run { _ in CountingDriver(answers, requests: requests) }
        await open.close()
        return answers
    }

    @Test(arguments: [LoadWire.http1, .grpc], [1, 2])
    func requests_areAnsweredOnAllLanes(wire: LoadWire, lanes: Int) async throws {
        try await TestServer.run { server in
            let answers = try await ask(server, wire, lanes: lanes)
            #expect(answers.outcomes == Array(repeating: .success, count: 5 * lanes))
            #expect(answers.bytes.count == 15 * lanes)
        }
    }

    @Test(arguments: [LoadWire.http1, .grpc])
    func refusals_areTold(wire: LoadWire) async throws {
        let responder = TestResponder(
            http: { $1.send(HTTPResponse(status: 404, body: Array("none".utf8))) },
            grpc: { $1.send(.failure(.notFound, "none")) })
        try await TestServer.run(responder) { server in
            let answers = try await ask(server, wire)
            let code = wire == .grpc ? 5 : 404
            #expect(
                answers.outcomes == Array(repeating: .refused(code: code, text: "none"), count: 5))
        }
    }

    @Test(arguments: [LoadWire.http1, .grpc])
    func serverThatDoesNotAnswer_isNotAwaitedForEver(wire: LoadWire) async throws {
        let kept = Mutex<[any Sendable]>([])
        let responder = TestResponder(
            http: { _, reply in kept.withLock { $0.append(reply) } },
            grpc: { _, reply in kept.withLock { $0.append(reply) } })
        try await TestServer.run(responder) { server in
            let answers = try await ask(server, wire, requests: 2) {
                $0.timeout = .milliseconds(200)
            }
            #expect(answers.outcomes == [.failed(.timedOut), .failed(.timedOut)])
            kept.withLock { $0 = [] }
        }
    }

    @Test func serverThatIsNotThere_isToldAtOnce() async throws {
        try await TestServer.run { server in
            let failure = await #expect(throws: ServingError.self) {
                _ = try await ask(server, .http1) { $0.port = 1 }
            }
            #expect(failure?.code == .unavailable)
            #expect(failure?.message == "Cannot connect to 127.0.0.1:1")
        }
    }

    @Test func headersThatWouldBreakTheHead_areRefused() async throws {
        try await TestServer.run { server in
            for field in [("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("content-length", "3")] {
                await #expect(throws: ServingError.self) {
                    _ = try await ask(server, .http1) {
                        $0.requests[0].headers.add(field.0, field.1)
                    }
                }
            }
        }
    }

    @Test func shares_areAsEvenAsTheyCanBe() {
        let shares = Shares(of: 10, among: 4)
        #expect((0..<4).map { shares[$0] } == [3, 3, 2, 2])
    }
}
