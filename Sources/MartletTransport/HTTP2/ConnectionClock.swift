import MartletCore
import NIOCore

/// Decides by the time alone what becomes of an HTTP/2 connection.
struct ConnectionClock {
    /// What is to be done.
    enum Action: Equatable {
        case none
        /// Ask whether the client is still there.
        case ping
        /// End gracefully.
        case drain
        /// Take the client to know of the end, though it has not said so.
        case nameLast
        case close
    }

    /// What the connection is like.
    struct Situation {
        /// Whether the rest of what has begun is due: a header block, the first settings.
        var owesHead = false
        /// Whether requests are open.
        var isBusy = false
        /// Whether the client was told of the end.
        var isDraining = false
        /// Whether it was told which stream is the last.
        var isLastNamed = false
    }

    /// How long a client may take to learn of the end.
    private static let announcement = TimeAmount.seconds(5)
    /// The listener's own limit comes first, and says that requests were cut off.
    private static let afterListener = TimeAmount.seconds(5)

    private let headerTimeout: TimeAmount
    private let idleTimeout: TimeAmount
    private let pingInterval: TimeAmount
    private let pingTimeout: TimeAmount
    private let announcement: TimeAmount
    private let drainTimeout: TimeAmount
    private let endGrace: TimeAmount?
    private var endAt: NIODeadline?

    private var readAt: NIODeadline
    private var pingedAt: NIODeadline?
    private var headSince: NIODeadline?
    private var idleSince: NIODeadline?
    private var drainSince: NIODeadline?
    private var lastSince: NIODeadline?
    /// How long requests may take once the client knows of the end; `nil` to wait for them.
    private var grace: TimeAmount?

    /// Starts the clock of a connection.
    ///
    /// - Parameters:
    ///   - limits: how long what may take.
    ///   - lifetime: when to ping, and when to end by age.
    ///   - ageFactor: so that connections that began together do not end together.
    ///   - now: the time.
    init(_ limits: Limits, _ lifetime: ConnectionLifetime, ageFactor: Double, now: NIODeadline) {
        headerTimeout = TimeAmount(limits.headerTimeout)
        idleTimeout = TimeAmount(limits.idleTimeout)
        pingInterval = TimeAmount(lifetime.pingInterval)
        pingTimeout = TimeAmount(lifetime.pingTimeout)
        announcement = min(ConnectionClock.announcement, TimeAmount(limits.drain / 2))
        drainTimeout = TimeAmount(limits.drain)
        grace = drainTimeout
        endAt = lifetime.end.map { now + TimeAmount($0.age * ageFactor) }
        endGrace = lifetime.end?.grace.map { TimeAmount($0) }
        readAt = now
        headSince = now
        idleSince = now
    }

    /// Notes that the client has sent something.
    mutating func didRead(now: NIODeadline) {
        readAt = now
        pingedAt = nil
    }

    /// Notes that the server shuts down, which no request may hold up for ever.
    mutating func shutDown() {
        grace = drainTimeout + ConnectionClock.afterListener
    }

    /// Notes what the connection is like now.
    mutating func update(_ situation: Situation, now: NIODeadline) {
        headSince = situation.owesHead ? headSince ?? now : nil
        idleSince = situation.isBusy ? nil : idleSince ?? now
        drainSince = situation.isDraining ? drainSince ?? now : nil
        lastSince = situation.isLastNamed ? lastSince ?? now : nil
    }

    /// When to look again at the latest.
    var next: NIODeadline {
        var next = pingedAt.map { $0 + pingTimeout } ?? readAt + pingInterval
        if let headSince { next = min(next, headSince + headerTimeout) }
        if let lastSince {
            if let grace { next = min(next, lastSince + grace) }
        } else if let drainSince {
            next = min(next, drainSince + announcement)
        } else {
            if let idleSince { next = min(next, idleSince + idleTimeout) }
            if let endAt { next = min(next, endAt) }
        }
        return next
    }

    /// What is to be done now.
    mutating func check(now: NIODeadline) -> Action {
        if let headSince, now >= headSince + headerTimeout { return .close }
        // The peer is gone: nobody would read a farewell.
        if let pingedAt, now >= pingedAt + pingTimeout { return .close }
        if let lastSince {
            if let grace, now >= lastSince + grace { return .close }
        } else if let drainSince {
            if now >= drainSince + announcement { return .nameLast }
        } else if let idleSince, now >= idleSince + idleTimeout {
            return .drain
        } else if let endAt, now >= endAt {
            self.endAt = nil
            grace = endGrace
            return .drain
        }
        guard pingedAt == nil, now >= readAt + pingInterval else { return .none }
        pingedAt = now
        return .ping
    }
}
