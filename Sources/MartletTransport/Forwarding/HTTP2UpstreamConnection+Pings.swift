import NIOCore

/// Whether an upstream that says nothing is still there.
extension HTTP2UpstreamConnection {
    /// Whether requests are under way, or wait for the upstream to begin as HTTP/2 does: the kernel
    /// takes connections for a process that is stopped.
    private var isNeeded: Bool {
        isBusy || pings.isAwaited || !connection.hasSettings && !waiting.isEmpty
    }

    /// Sees to it that silence is noticed while requests are under way.
    ///
    /// The timer runs on beyond them: setting it for each would cost.
    func watch() {
        guard pingTimer == nil, isNeeded, let next = pings.next, let context else { return }
        pingTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.pingTimer = nil
            self.lookForSilence()
        }
    }

    private func lookForSilence() {
        guard let context, isNeeded else { return }
        switch pings.check(now: context.eventLoop.now) {
        case .none: watch()
        case .ping:
            connection.ping()
            endSoon()
        case .close:
            isSilent = true
            context.close(promise: nil)
        }
    }
}
