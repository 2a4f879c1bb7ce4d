import MartletCore
import NIOCore

/// How an attempt waits for room at an upstream that has as many connections as it may.
///
/// Another event loop may have one that nobody uses. It is waited for as long as a connection to
/// the upstream is: a loop may be busy, and a connection by TLS is closed only when both sides
/// have said so. Where none of the loops has one, whoever waits goes on for a moment, in which a
/// request may end, and no longer; the moment begins anew with each connection that is closed, as
/// others may have been faster to take its place.
///
/// Bound to the event loop of the attempt.
final class RoomWait {
    /// How long those wait for whom no event loop has a connection, and the pauses in between.
    static let graceTime = TimeAmount.milliseconds(50)
    static let pause = TimeAmount.milliseconds(2)

    private let address: UpstreamAddress
    private let upstreams: SharedUpstreams
    private let eventLoop: any EventLoop
    private let deadline: NIODeadline
    private var graceEnd: NIODeadline

    /// - Parameters:
    ///   - address: the upstream.
    ///   - upstreams: what is known of it.
    ///   - timeout: the longest wait in any case.
    ///   - eventLoop: that of the attempt.
    init(
        at address: UpstreamAddress, of upstreams: SharedUpstreams, timeout: Duration,
        on eventLoop: any EventLoop
    ) {
        self.address = address
        self.upstreams = upstreams
        self.eventLoop = eventLoop
        let now = eventLoop.now
        deadline = now + TimeAmount(timeout)
        graceEnd = min(deadline, now + RoomWait.graceTime)
    }

    private func renewGrace() { graceEnd = min(deadline, eventLoop.now + RoomWait.graceTime) }

    /// Waits for the next time that there may be room.
    ///
    /// - Parameter body: called once, later on the event loop, unless that is shut down: with
    ///   whether it is worth another try.
    func next(_ body: @escaping (_ isWorthATry: Bool) -> Void) {
        let turn = Turn(body)
        guard upstreams[address].isFull else {
            // Too many wait for a connection, for which nobody need close one.
            pauseOnce(turn)
            return
        }
        turn.timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            turn.end(false)
        }
        let eventLoop = eventLoop
        let bound = NIOLoopBound((self, turn), eventLoop: eventLoop)
        upstreams.makeRoom(at: address) { outcome in
            eventLoop.execute {
                let (wait, turn) = bound.value
                switch outcome {
                case .made:
                    wait.renewGrace()
                    turn.end(true)
                case .none: wait.pauseOnce(turn)
                }
            }
        }
    }

    private func pauseOnce(_ turn: Turn) {
        turn.timer?.cancel()
        let isLate = eventLoop.now >= graceEnd
        turn.timer = eventLoop.assumeIsolated().scheduleTask(
            in: isLate ? .zero : RoomWait.pause
        ) {
            turn.end(!isLate)
        }
    }

    /// What is called back once.
    private final class Turn {
        var timer: Scheduled<Void>?
        private var body: ((Bool) -> Void)?

        init(_ body: @escaping (Bool) -> Void) {
            self.body = body
        }

        func end(_ isWorthATry: Bool) {
            timer?.cancel()
            timer = nil
            body.take()?(isWorthATry)
        }
    }
}

extension SharedUpstreams {
    /// How long an upstream is waited for that is connected to.
    func connectTimeout(of address: UpstreamAddress, limits: ForwardingLimits) -> Duration {
        self[address].options.connectTimeout ?? limits.connectTimeout
    }
}
