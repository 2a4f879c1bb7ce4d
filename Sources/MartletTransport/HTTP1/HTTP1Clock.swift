import MartletCore
import NIOCore

/// Decides by the time alone when an HTTP/1.1 connection is given up.
struct HTTP1Clock {
    /// How long a connection that is to end waits for a request that is on its way: a client that
    /// asks again and again has its next one under way by then.
    private static let farewell = TimeAmount.milliseconds(250)

    private let limits: SharedLimits
    private let headerTimeout: TimeAmount
    private let bodyTimeout: TimeAmount
    private let idleTimeout: TimeAmount

    private var awaited = HTTP1Awaited.request
    private var requestCount = 0
    private var since: NIODeadline
    /// How the body of the request that is being received comes.
    private var pace: BodyPace?
    private var drainSince: NIODeadline?
    /// What the client had not taken at `since`.
    private var unsentBytes = Int.max

    /// Starts the clock of a connection, whose first head has been due since a time.
    init(_ limits: SharedLimits, since: NIODeadline) {
        self.limits = limits
        headerTimeout = TimeAmount(limits.values.headerTimeout)
        bodyTimeout = TimeAmount(limits.values.bodyTimeout)
        idleTimeout = TimeAmount(limits.values.idleTimeout)
        self.since = since
    }

    /// Notes that the connection is to end.
    mutating func startDraining(now: NIODeadline) {
        drainSince = drainSince ?? now
    }

    /// Notes what is awaited now, and how much the client has just sent.
    mutating func update(
        _ awaited: HTTP1Awaited, requestCount: Int, readBytes: Int, now: NIODeadline
    ) {
        let isSame = awaited == self.awaited && requestCount == self.requestCount
        // The time for the first head began with the connection.
        let isFirst = requestCount == 0
        if !isFirst, !isSame {
            since = now
            unsentBytes = .max
        }
        if awaited == .content {
            if pace == nil || requestCount != self.requestCount {
                pace = BodyPace(limits.values, now: now)
            } else {
                pace?.resume(now: now)
                pace?.receive(readBytes, now: now)
            }
        } else {
            pace?.pause(now: now)
        }
        self.awaited = awaited
        self.requestCount = requestCount
    }

    /// Notes how much the client has not taken yet; any progress gives it more time.
    mutating func update(unsentBytes: Int, now: NIODeadline) {
        guard awaited == .room, unsentBytes < self.unsentBytes else { return }
        self.unsentBytes = unsentBytes
        since = now
    }

    /// When the connection is to be closed, if nothing happens before.
    var end: NIODeadline? {
        switch awaited {
        case .request where requestCount == 0: since + headerTimeout
        case .request:
            min(since + idleTimeout, drainSince.map { $0 + HTTP1Clock.farewell } ?? .distantFuture)
        case .head: since + headerTimeout
        case .content: pace?.end
        case .room: since + bodyTimeout
        case .answer: nil
        }
    }
}
