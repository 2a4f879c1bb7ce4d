import MartletCore
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

    /// The longest silence, but for a first one that is longer.
    private static let silenceMax = TimeAmount.minutes(5) + .seconds(1)

    /// The first silence; `nil` for no pings.
    private let interval: TimeAmount?
    private let timeout: TimeAmount
    private var silence: TimeAmount
    private var heardAt: NIODeadline
    private var pingedAt: NIODeadline?

    /// Begins with a connection.
    init(_ options: UpstreamOptions, now: NIODeadline) {
        interval = options.pingInterval.map { TimeAmount($0) }
        timeout = TimeAmount(options.pingTimeout)
        silence = interval ?? UpstreamPings.silenceMax
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
    mutating func didAnswer() { silence = interval ?? silence }

    /// When to look again while requests are under way; `nil` for never.
    var next: NIODeadline? {
        guard interval != nil else { return nil }
        return pingedAt.map { $0 + timeout } ?? heardAt + silence
    }

    /// What is to be done now.
    mutating func check(now: NIODeadline) -> Action {
        guard let interval, let next, next <= now else { return .none }
        guard pingedAt == nil else { return .close }
        pingedAt = now
        silence = max(interval, min(silence * UpstreamPings.growth, UpstreamPings.silenceMax))
        return .ping
    }
}
