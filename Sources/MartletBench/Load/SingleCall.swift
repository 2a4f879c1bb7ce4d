import MartletCore
import MartletTensors
import MartletTransport
import Synchronization

/// Sends one request and returns its answer: what a load begins with, to learn the signature and to
/// see that requests are answered at all.
enum SingleCall {
    /// Most bytes of an answer.
    static let bytesMax = 256 << 20

    /// Sends a request.
    ///
    /// - Returns: the content of the answer.
    /// - Throws: `ServingError` with the server's words when it refuses, `UNAVAILABLE` when there
    ///   is no answer.
    static func send(
        _ request: LoadRequest, to server: BenchServer, on eventLoops: EventLoops
    ) async throws -> [UInt8] {
        var target = server.target([request])
        target.connections = 1
        target.keepsAnswers = true
        let lanes = try await LoadLanes.open(target, count: 1, on: eventLoops)
        let box = AnswerHolder()
        await lanes.run { _ in SingleCallDriver(box) }
        await lanes.close()
        return try box.answer.withLock { $0 }.content(wire: server.wire)
    }

    /// What came for the request.
    struct Answer: Sendable {
        var outcome = LoadOutcome.failed(.closed)
        var bytes: [UInt8] = []

        func content(wire: LoadWire) throws -> [UInt8] {
            guard let (code, text) = outcome.failure(wire) else { return bytes }
            throw ServingError(statusCode(wire), message(code, text))
        }

        private func message(_ code: String, _ text: String) -> String {
            text.isEmpty ? code : "\(code): \(SampleText.short(text))"
        }

        private func statusCode(_ wire: LoadWire) -> StatusCode {
            guard case .refused(let code, _) = outcome else { return .unavailable }
            switch wire {
            case .grpc: return StatusCode(rawValue: code) ?? .unknown
            case .http1:
                switch code {
                case 401: return .unauthenticated
                case 403: return .permissionDenied
                case 404: return .notFound
                case 503: return .unavailable
                default: return .failedPrecondition
                }
            }
        }
    }
}

/// Holds an answer between the lane's thread and the caller.
final class AnswerHolder: Sendable {
    let answer = Mutex(SingleCall.Answer())
}

/// Sends the first request, once.
private final class SingleCallDriver: LoadDriver {
    private let box: AnswerHolder
    private var answer = SingleCall.Answer()
    private var isSent = false

    init(_ box: AnswerHolder) {
        self.box = box
    }

    func begin(on lane: LoadLane) {
        isSent = lane.send(0, token: 0)
        // A connection that has gone already is made anew.
        if !isSent { lane.wake(at: lane.now + 1_000_000_000) }
    }

    func reconnected(on lane: LoadLane) {
        if !isSent { isSent = lane.send(0, token: 0) }
    }

    func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane) {
        guard answer.bytes.count + bytes.count <= SingleCall.bytesMax else { return }
        answer.bytes += bytes
    }

    func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int, on lane: LoadLane) {
        answer.outcome = outcome
        end(lane)
    }

    func woke(on lane: LoadLane) {
        if !isSent { end(lane) }
    }

    private func end(_ lane: LoadLane) {
        let answer = answer
        box.answer.withLock { $0 = answer }
        lane.finish()
    }
}

/// What servers say, made fit to be shown.
enum SampleText {
    /// The message of an error in JSON, if it is one, on one line and not too long.
    static func short(_ text: String) -> String {
        let message = errorMessage(text) ?? text
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count > 300 ? line.prefix(300) + "…" : line
    }

    private static func errorMessage(_ text: String) -> String? {
        guard text.first == "{",
            case .object(let members)? = try? JSONValue(
                parsing: Array(text.utf8), limits: Limits()),
            let error = members.first(where: { $0.name == "error" })?.value
        else { return nil }
        switch error {
        case .text(let message): return message
        // As OpenAI's API has it.
        case .object(let fields):
            guard case .text(let message)? = fields.first(where: { $0.name == "message" })?.value
            else { return nil }
            return message
        default: return nil
        }
    }
}
