import MartletCore
import MartletTelemetry

/// Whoever a connection of HTTP/1.1 to an upstream works for: a request that came by that version,
/// or one that came by HTTP/2.
///
/// Bound to the connection's event loop.
protocol HTTP1Attempt: AnyObject {
    /// When the attempt began; `nil` where it is over.
    var attemptStart: ContinuousClock.Instant? { get }

    /// How long the client still waits; `nil` where it has not said so.
    var timeLeft: Duration? { get }

    /// Whether an attempt that was asked for is still of use.
    func awaits(_ attempt: Int) -> Bool

    /// The attempt has its connection.
    func opened(_ upstream: any UpstreamExchange<HTTP1Wire>, attempt: Int)

    /// A part of the answer has come.
    func receive(_ part: ResponsePart<HTTP1Wire>, attempt: Int)

    /// The upstream has said all it has to say for now.
    func upstreamReadComplete(attempt: Int)

    /// The upstream takes no more for now, or does again.
    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int)

    /// The attempt came to nothing.
    func failed(_ failure: ForwardingFailure, attempt: Int)

    /// The upstream was found to be dead.
    func upstreamLost(attempt: Int)

    /// The upstream has told how loaded it is.
    func didReport(_ reading: LoadReading, from upstream: UpstreamAddress)
}

extension Exchange {
    var attemptStart: ContinuousClock.Instant? { current?.start }

    var timeLeft: Duration? { subject.context.deadline.instant.map { $0 - .now } }

    func didReport(_ reading: LoadReading, from upstream: UpstreamAddress) {
        policy.didReport(reading, from: upstream, plan)
    }
}

extension Exchange: HTTP1Attempt where Wire == HTTP1Wire {}
