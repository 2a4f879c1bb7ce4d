import MartletCore
import NIOCore

/// Decides by the time alone whether a request's body comes too slowly.
///
/// A client has time for the first bytes; each byte earns it more, at the least rate that it is to
/// keep, and never more than it may pause. The time in which it is not read from is not its own.
struct BodyPace {
    private let bytesPerSecond: Int
    private let grace: TimeAmount
    private let pauseMax: TimeAmount
    /// The time that the client has left, at `since` or, while it is not read from, at all.
    private var credit: TimeAmount
    private var since: NIODeadline?
    /// What had come by the connection when that was last looked at.
    private var mark: (bytes: Int, time: NIODeadline)

    /// Begins a body.
    ///
    /// - Parameters:
    ///   - limits: how slow it may be.
    ///   - connectionBytes: bytes of all bodies that have come by its connection.
    ///   - now: the time.
    init(_ limits: Limits, connectionBytes: Int = 0, now: NIODeadline) {
        bytesPerSecond = limits.bodyBytesPerSecondMin
        pauseMax = TimeAmount(limits.bodyTimeout)
        grace = bytesPerSecond > 0 ? min(TimeAmount(limits.bodyGrace), pauseMax) : pauseMax
        credit = grace
        since = now
        mark = (connectionBytes, now)
    }

    /// Notes that some of it has come.
    mutating func receive(_ count: Int, now: NIODeadline) {
        guard count > 0 else { return }
        settle(now: now)
        credit = min(pauseMax, credit + earned(by: count))
    }

    /// Notes that the client is not read from.
    mutating func pause(now: NIODeadline) {
        settle(now: now)
        since = nil
    }

    /// Notes that the client is read from again.
    mutating func resume(now: NIODeadline) {
        since = since ?? now
    }

    /// When it is too slow, if nothing comes before; nil while it is not read from.
    var end: NIODeadline? { since.map { $0 + credit } }

    /// Whether it is too slow.
    ///
    /// A client that sends several bodies by one connection may let some of them wait for others,
    /// as long as it sends enough for all.
    ///
    /// - Parameters:
    ///   - connectionBytes: bytes of all bodies that have come by the connection.
    ///   - bodies: bodies that are awaited there.
    ///   - now: the time.
    /// - Returns: whether it is; if not, its ``end`` may have moved.
    mutating func isTooSlow(connectionBytes: Int, bodies: Int, now: NIODeadline) -> Bool {
        guard let end, end <= now else { return false }
        guard bytesPerSecond > 0, bodies > 1 else { return true }
        let seconds = Double((now - mark.time).nanoseconds) / 1e9
        let due = seconds * Double(bytesPerSecond) * Double(bodies)
        guard Double(connectionBytes - mark.bytes) >= due else { return true }
        mark = (connectionBytes, now)
        credit = grace
        since = now
        return false
    }

    private mutating func settle(now: NIODeadline) {
        guard let since else { return }
        credit = max(.zero, credit - (now - since))
        self.since = now
    }

    private func earned(by count: Int) -> TimeAmount {
        guard bytesPerSecond > 0 else { return pauseMax }
        let (seconds, rest) = count.quotientAndRemainder(dividingBy: bytesPerSecond)
        // More would be cut off, and overflow.
        guard seconds < 1_000_000 else { return pauseMax }
        return .nanoseconds(
            Int64(seconds) * 1_000_000_000 + Int64(rest) * 1_000_000_000 / Int64(bytesPerSecond))
    }
}

extension RequestFault {
    /// What a client is told whose request's body comes too slowly.
    static func bodyTooSlow(_ limits: Limits) -> RequestFault {
        let rate = limits.bodyBytesPerSecondMin
        let pace =
            rate > 0 ? "at least \(rate) bytes a second (--min-body-bytes-per-second), " : ""
        return RequestFault(
            ServingError(
                .deadlineExceeded,
                "The request's body came too slowly: send it \(pace)without a pause of more than "
                    + "\(limits.bodyTimeout.seconds) s (--body-timeout-seconds)"),
            status: 408)
    }
}
