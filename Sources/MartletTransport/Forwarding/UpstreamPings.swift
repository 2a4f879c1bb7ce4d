import NIOCore

/// Decides by the time alone when an upstream that says nothing is asked by HTTP/2 whether it is
/// still there, and when it is given up.
///
/// A process that is stopped, or whose machine is cut off, says nothing, and nor does one that
/// works for long. Servers of gRPC end connections that are pinged more than twice in five minutes
/// beyond a first time, unless they have answered meanwhile: each ping without an answer in between
/// waits longer than the one before.
struct UpstreamPings {
    /// What is to be done.
    enum Action: Equatable {
        case none
        case ping
        case close
    }

    /// How much longer each silence has to be than the one before.
    private static let growth = 4

    /// Pings that may come sooner after each other than ``rest``.
    private static let earlyMax = 3

    /// A pause between pings of which no server counts any.
    private static let rest = TimeAmount.minutes(5) + .seconds(1)

    /// The first silence; `nil` for no pings.
    private let interval: TimeAmount?
    private let timeout: TimeAmount
    /// Pings since the last part of an answer.
    private var count = 0
    private var heardAt: NIODeadline
    private var pingedAt: NIODeadline?

    /// Begins with a connection.
    init(_ options: UpstreamOptions, now: NIODeadline) {
        interval = options.pingInterval.map { TimeAmount($0) }
        timeout = TimeAmount(options.pingTimeout)
        heardAt = now
    }

    /// Whether a ping has no answer yet.
    var isAwaited: Bool { pingedAt != nil }

    /// Notes that requests are under way from now on: the silence before was nobody's.
    mutating func begin(now: NIODeadline) {
        if pingedAt == nil { heardAt = now }
    }

    /// Notes that the upstream has said something.
    mutating func didRead(now: NIODeadline) {
        heardAt = now
        pingedAt = nil
    }

    /// Notes that it was more than an answer to a ping: part of one to a request.
    mutating func didAnswer() { count = 0 }

    /// When to look again while requests are under way; `nil` for never.
    var next: NIODeadline? {
        guard let interval else { return nil }
        return pingedAt.map { $0 + timeout } ?? heardAt + silence(from: interval)
    }

    /// How long a silence is that leads to a ping.
    private func silence(from interval: TimeAmount) -> TimeAmount {
        let longest = max(interval, UpstreamPings.rest)
        guard count < UpstreamPings.earlyMax else { return longest }
        let grown = (0..<count).reduce(interval) { silence, _ in silence * UpstreamPings.growth }
        return min(grown, longest)
    }

    /// What is to be done now.
    mutating func check(now: NIODeadline) -> Action {
        guard let next, next <= now else { return .none }
        guard pingedAt == nil else { return .close }
        pingedAt = now
        count += 1
        return .ping
    }
}
