import MartletCore
import NIOCore

/// Has a pool look for connections that nobody uses, often enough for the shortest time that one is
/// kept.
///
/// One timer for all of an event loop: one for each connection, set and cancelled with every
/// request, would cost.
final class IdleSweep {
    private let eventLoop: any EventLoop
    private var pause: Duration
    private var timer: Scheduled<Void>?

    /// Closes connections whose time is over; says whether there are others to look at again.
    var look: () -> Bool = { false }

    /// - Parameters:
    ///   - eventLoop: where all happens.
    ///   - idleTimeout: how long connections are kept where nothing else is said.
    init(eventLoop: any EventLoop, idleTimeout: Duration) {
        self.eventLoop = eventLoop
        pause = IdleSweep.pause(idleTimeout)
    }

    /// There may be something to look at.
    func start() {
        guard timer == nil else { return }
        timer = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) {
            self.timer = nil
            if self.look() { self.start() }
        }
    }

    /// Looks often enough for connections that are kept so long, too.
    func include(idleTimeout: Duration) {
        let pause = IdleSweep.pause(idleTimeout)
        guard pause < self.pause else { return }
        self.pause = pause
        guard let later = timer else { return }
        later.cancel()
        timer = nil
        start()
    }

    /// A connection outlives its time by no more than a quarter.
    private static func pause(_ idleTimeout: Duration) -> Duration { idleTimeout / 4 }
}

extension SharedUpstreams {
    /// How long an idle connection to an upstream is kept.
    func idleTimeout(of address: UpstreamAddress, limits: ForwardingLimits) -> Duration {
        idleTimeout(of: address.connections, limits: limits)
    }

    /// The same, of the upstream whose connections are kept by this.
    func idleTimeout(of connections: HashedText, limits: ForwardingLimits) -> Duration {
        self[connections].options.idleTimeout ?? limits.upstreamIdleTimeout
    }
}
