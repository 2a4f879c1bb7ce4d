import MartletCore
import MartletTransport
import Synchronization

/// How long requests take an engine's thread, by what can be seen of them before they are read.
final class RunTimes: Sendable {
    /// What requests have in common that take about as long.
    struct Key: Hashable, Sendable {
        let path: String
        /// The beginning of a gRPC message, which names the model and the signature.
        var subject: [UInt8] = []
    }

    private static let keysMaximum = 1024

    private let estimates = Mutex<[Key: RunTimeEstimate]>([:])

    /// What is known of such requests; of too many kinds, all are learned anew.
    func estimate(for key: Key) -> RunTimeEstimate {
        estimates.withLock { estimates in
            if let known = estimates[key] { return known }
            if estimates.count >= RunTimes.keysMaximum { estimates = [:] }
            let estimate = RunTimeEstimate()
            estimates[key] = estimate
            return estimate
        }
    }
}

/// A request whose time on an engine's thread is learned.
protocol TimedRequest: Sendable {
    var timeKey: RunTimes.Key { get }
}

extension HTTPRequest: TimedRequest {
    var timeKey: RunTimes.Key { RunTimes.Key(path: path) }
}

extension GRPCCall: TimedRequest {
    /// All messages of predictions have the model in field 1, with a length, and clients write
    /// fields in order: `ModelSpec` in TensorFlow Serving's, the name in those of the Open
    /// Inference Protocol.
    var timeKey: RunTimes.Key {
        let subject =
            if message.count > 2, message[0] == 0x0A, message[1] < 0x80 {
                Array(message[2...].prefix(Int(message[1])))
            } else {
                [UInt8]()
            }
        return RunTimes.Key(path: path, subject: subject)
    }
}
