public import MartletCore
import Synchronization

/// One unary gRPC call for health checks and the like: a connection for each.
///
/// Requests of clients never go this way; the gateway's data path has its own pools.
public enum GRPCQuestion {
    /// Asks.
    ///
    /// - Parameters:
    ///   - path: `/SERVICE/METHOD`.
    ///   - message: the request, encoded.
    ///   - host: name or address of the server.
    ///   - port: the server's port.
    ///   - encryption: certificates and keys that were read before; `nil` to speak in the clear.
    ///   - timeout: limit for connecting, and for the answer.
    ///   - eventLoops: where it works.
    /// - Returns: the answer's message, or the server's refusal.
    /// - Throws: `ServingError` (`UNAVAILABLE`) where there is no answer.
    public static func ask(
        _ path: String, message: [UInt8], host: String, port: Int,
        encryption: UpstreamEncryption?, timeout: Duration, eventLoops: EventLoops
    ) async throws -> Result<[UInt8], ServingError> {
        var target = LoadTarget(
            host: host, port: port, wire: .grpc,
            requests: [LoadRequest(method: "POST", path: path, body: message)])
        target.encryption = encryption
        target.timeout = timeout
        target.keepsAnswers = true
        let lanes = try await LoadLanes.open(target, count: 1, on: eventLoops)
        let answer = Answer()
        await lanes.run { _ in answer.makeDriver() }
        await lanes.close()
        return try answer.result(of: "\(host):\(port)")
    }

    /// What came, on whichever thread.
    private final class Answer: Sendable {
        private struct State {
            var bytes: [UInt8] = []
            var outcome: LoadOutcome?
        }

        private let state = Mutex(State())

        func makeDriver() -> any LoadDriver { Driver(self) }

        func append(_ bytes: [UInt8]) { state.withLock { $0.bytes += bytes } }

        func end(_ outcome: LoadOutcome) { state.withLock { $0.outcome = outcome } }

        func result(of server: String) throws -> Result<[UInt8], ServingError> {
            let state = state.withLock { $0 }
            switch state.outcome {
            case .success: return .success(state.bytes)
            case .refused(let code, let text):
                return .failure(ServingError(StatusCode(rawValue: code) ?? .unknown, text))
            case .failed, nil: throw ServingError(.unavailable, "No answer from \(server)")
            }
        }
    }

    private final class Driver: LoadDriver {
        private let answer: Answer

        init(_ answer: Answer) {
            self.answer = answer
        }

        func begin(on lane: LoadLane) {
            if !lane.send(0, token: 0) { lane.finish() }
        }

        func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane) {
            answer.append(bytes)
        }

        func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int, on lane: LoadLane) {
            answer.end(outcome)
            lane.finish()
        }

        func woke(on lane: LoadLane) {}

        func connectionFailed(_ reason: String, on lane: LoadLane) { lane.finish() }
    }
}
