import Logging
import MartletCore

extension EjectionCause {
    /// The cause in words.
    var text: String {
        switch self {
        case .consecutiveFailures(let count, let last):
            "\(count) requests in a row failed, the last one: \(last.rawValue)"
        case .successRate(let share, let bound):
            "\(Self.percent(share)) of its requests succeeded, below the \(Self.percent(bound)) "
                + "that the other endpoints' rates allow"
        case .failureShare(let share): "\(Self.percent(share)) of its requests failed"
        case .latency(let own, let others):
            "half of its answers took over \(own.secondsText) s, those of the others "
                + "\(others.secondsText) s"
        case .silence(let requests, let time):
            "none of \(requests) requests was answered for \(time.secondsText) s"
        }
    }

    private static func percent(_ share: Double) -> String {
        "\((share * 1000).rounded() / 10) %"
    }
}

extension Logger {
    /// Logs that an endpoint was taken out of use for how it answers, or came back.
    func log(_ change: EjectionChange) {
        switch change {
        case .ejected(let id, let cause, let time):
            warning(
                "endpoint is ejected",
                metadata: [
                    "endpoint": "\(id.address)", "cause": "\(cause.text)",
                    "seconds": "\(time.secondsText)",
                ])
        case .returned(let id, let cause):
            info(
                "endpoint returns",
                metadata: ["endpoint": "\(id.address)", "cause": "\(cause.rawValue)"])
        }
    }
}
