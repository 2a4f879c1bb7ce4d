import MartletCore
import NIOCore

/// Decides by the time alone when an HTTP/1.1 connection is given up.
struct HTTP1Clock {
    /// How long a connection that is to end waits for a request that is on its way: a client that
    /// asks again and again has its next one under way by then.
    private static let farewell = TimeAmount.milliseconds(250)

    private let headerTimeout: TimeAmount
    private let bodyTimeout: TimeAmount
    private let idleTimeout: TimeAmount

    private var awaited = HTTP1Awaited.request
    private var requestCount = 0
    private var since: NIODeadline
    private var drainSince: NIODeadline?
    /// What the client had not taken at `since`.
    private var unsentBytes = Int.max

    /// Starts the clock of a connection, whose first head has been due since a time.
    init(_ limits: Limits, since: NIODeadline) {
        headerTimeout = TimeAmount(limits.headerTimeout)
        bodyTimeout = TimeAmount(limits.bodyTimeout)
        idleTimeout = TimeAmount(limits.idleTimeout)
        self.since = since
    }

    /// Notes that the connection is to end.
    mutating func startDraining(now: NIODeadline) {
        drainSince = drainSince ?? now
    }

    /// Notes what is awaited now, and whether the client has just sent something.
    mutating func update(
        _ awaited: HTTP1Awaited, requestCount: Int, didRead: Bool, now: NIODeadline
    ) {
        let isSame = awaited == self.awaited && requestCount == self.requestCount
        // The time for the first head began with the connection.
        let isFirst = requestCount == 0
        if !isFirst, !isSame || awaited == .content && didRead {
            since = now
            unsentBytes = .max
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
        case .content, .room: since + bodyTimeout
        case .answer: nil
        }
    }
}
