import MartletCore

/// How long a client of REST waits, as it says by a field of its request; gRPC has `grpc-timeout`
/// for that.
enum RequestTimeout: Sendable, Equatable {
    /// It says nothing.
    case none
    /// So long, from the head of the request to the end of its answer.
    case after(Duration)
    /// What it says cannot be read.
    case malformed

    /// The field's name.
    static let name = "x-request-timeout-ms"

    /// The longest time, in milliseconds: more than eleven days.
    static let millisecondsMax: Int64 = 999_999_999

    /// Reads a further value of the field.
    mutating func take(_ value: String) {
        let isNumber = value.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard self == .none, isNumber, let milliseconds = Int64(value),
            (1...RequestTimeout.millisecondsMax).contains(milliseconds)
        else {
            self = .malformed
            return
        }
        self = .after(.milliseconds(milliseconds))
    }

    /// The time; `nil` where there is none, or none that can be read.
    var duration: Duration? { if case .after(let time) = self { time } else { nil } }

    /// What is wrong with it, if anything.
    var fault: ServingError? {
        guard self == .malformed else { return nil }
        return .invalidArgument(
            "The field \(RequestTimeout.name) is not one number of milliseconds from 1 to "
                + "\(RequestTimeout.millisecondsMax)")
    }

    /// The field's value for whoever has so much time left, which is at least a millisecond.
    static func text(_ left: Duration) -> String {
        let longest = Duration.milliseconds(millisecondsMax)
        let (seconds, attoseconds) = min(max(left, .zero), longest).components
        return String(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
