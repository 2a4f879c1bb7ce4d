import MartletCore
import NIOCore

/// How long a client waits, and since when for upstreams alone.
extension Exchange {
    /// Looks at the time where an upstream waits for the rest of the request, and here it is.
    func noteEnd(of part: RequestPart<Wire>) {
        if part.isEnd, firstAttempt != nil { requestEnd = .now }
    }

    /// Since when only upstreams are waited for, by the plan at hand: a client takes as long as it
    /// likes to send its request.
    var sent: ContinuousClock.Instant? {
        guard machine.requestEnded, let firstAttempt else { return nil }
        return requestEnd.map { max($0, firstAttempt) } ?? firstAttempt
    }

    /// How long the client waits, of which the longest is `timeout`, from the head of its request.
    func patience(_ timeout: Duration, elapsed: Duration = .zero) -> TimeAmount {
        let timeout = max((plan.timeout ?? timeout) - elapsed, .zero)
        let left = subject.context.deadline.instant.map { $0 - .now }
        return TimeAmount(left.map { min($0, timeout) } ?? timeout)
    }

    /// How long the client waits still.
    func patienceLeft(_ timeout: Duration) -> TimeAmount {
        patience(timeout, elapsed: .now - subject.context.start)
    }
}
