import NIOCore

/// Whether an upstream that says nothing is still there.
extension HTTP2UpstreamConnection {
    /// Sees to it that silence is noticed while requests are under way.
    ///
    /// The timer runs on beyond them: setting it for each would cost.
    func watch() {
        guard pingTimer == nil, isBusy || pings.isAwaited, let next = pings.next,
            let context
        else { return }
        pingTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.pingTimer = nil
            self.lookForSilence()
        }
    }

    private func lookForSilence() {
        guard let context, isBusy || pings.isAwaited else { return }
        switch pings.check(now: context.eventLoop.now) {
        case .none: watch()
        case .ping:
            connection.ping()
            endSoon()
        case .close: context.close(promise: nil)
        }
    }
}
