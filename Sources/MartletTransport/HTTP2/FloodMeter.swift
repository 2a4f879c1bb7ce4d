import NIOCore

/// Tells floods from traffic: each kind of frame that costs the server more than the client has an
/// allowance, which fills up again with time.
struct FloodMeter {
    /// What a client may do in vain.
    struct Allowance: Equatable {
        /// So often at once.
        var burst: Int

        /// So often a second for ever.
        var perSecond: Int
    }

    struct Allowances: Equatable {
        /// Streams that the client resets before it has the answer.
        var resets = Allowance(burst: 1000, perSecond: 100)

        /// PING, SETTINGS, PRIORITY and frames of no known type or use.
        var controls = Allowance(burst: 1000, perSecond: 100)

        /// DATA without data.
        var emptyData = Allowance(burst: 100, perSecond: 10)

        /// Windows that are opened by a few bytes while more wait.
        var dribbles = Allowance(burst: 1000, perSecond: 100)

        /// DATA of less than a gRPC message's prefix, and windows that are opened by a few bytes
        /// while nothing waits, beyond those that come with what is transferred.
        var tinyFrames = Allowance(burst: 2000, perSecond: 1000)

        /// Streams that we reset because the client broke a rule.
        var streamErrors = Allowance(burst: 200, perSecond: 10)

        /// Any number of everything.
        static var none: Allowances {
            let any = Allowance(burst: .max, perSecond: 1)
            return Allowances(
                resets: any, controls: any, emptyData: any, dribbles: any, tinyFrames: any,
                streamErrors: any)
        }
    }

    private struct Bucket {
        let allowance: Allowance
        var left: Int
        var updated: NIODeadline

        init(_ allowance: Allowance, now: NIODeadline) {
            self.allowance = allowance
            left = allowance.burst
            updated = now
        }

        mutating func take(now: NIODeadline) -> Bool {
            if left == 0 { refill(now: now) }
            guard left > 0 else { return false }
            left -= 1
            return true
        }

        mutating func earn(_ count: Int) {
            left += min(count, allowance.burst - left)
        }

        private mutating func refill(now: NIODeadline) {
            let elapsed = max(0, (now - updated).nanoseconds)
            // An hour fills any bucket; more would only overflow.
            let milliseconds = Int(min(elapsed, 3_600_000_000_000) / 1_000_000)
            let earned = milliseconds * allowance.perSecond / 1000
            guard earned > 0 else { return }
            left = min(allowance.burst, earned)
            updated = now
        }
    }

    private var resets: Bucket
    private var controls: Bucket
    private var emptyData: Bucket
    private var dribbles: Bucket
    private var tinyFrames: Bucket
    private var streamErrors: Bucket

    /// The time of the bytes that are being read.
    var now: NIODeadline

    init(_ allowances: Allowances, now: NIODeadline) {
        self.now = now
        resets = Bucket(allowances.resets, now: now)
        controls = Bucket(allowances.controls, now: now)
        emptyData = Bucket(allowances.emptyData, now: now)
        dribbles = Bucket(allowances.dribbles, now: now)
        tinyFrames = Bucket(allowances.tinyFrames, now: now)
        streamErrors = Bucket(allowances.streamErrors, now: now)
    }

    mutating func didReset() throws(ConnectionFault) {
        try check(resets.take(now: now), .resets, "Too many streams were reset")
    }

    mutating func didControl() throws(ConnectionFault) {
        try check(controls.take(now: now), .controlFrames, "Too many control frames")
    }

    mutating func didSendEmptyData() throws(ConnectionFault) {
        try check(emptyData.take(now: now), .emptyData, "Too many DATA frames without data")
    }

    mutating func didDribble() throws(ConnectionFault) {
        try check(dribbles.take(now: now), .smallWindows, "The window is opened in too small steps")
    }

    mutating func didSendTinyFrame() throws(ConnectionFault) {
        try check(tinyFrames.take(now: now), .tinyFrames, "Too many frames with next to nothing")
    }

    /// Content was transferred, with which so many tiny frames may come: the window of a stream and
    /// of the connection may be opened for each DATA, and large content may end in a small rest.
    mutating func didTransfer(mayCome count: Int) { tinyFrames.earn(count) }

    mutating func didBreakStream() throws(ConnectionFault) {
        try check(streamErrors.take(now: now), .brokenStreams, "Too many streams broke a rule")
    }

    private func check(
        _ isAllowed: Bool, _ flood: HTTP2Flood, _ text: String
    ) throws(ConnectionFault) {
        guard isAllowed else { throw ConnectionFault(flood, text) }
    }
}
