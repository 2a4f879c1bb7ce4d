import NIOCore

/// What becomes of attempts that waited for a connection which takes none.
extension HTTP2UpstreamConnection {
    /// Attempts under way or waiting.
    var load: Int { connection.streams.count + waiting.count }

    /// Lets an attempt wait.
    func wait(_ exchange: Exchange<HTTP2Wire>, attempt: Int) {
        if waiting.count >= waitingCheck {
            waiting = CircularBuffer(waiting.filter { $0.exchange.awaits($0.attempt) })
            waitingCheck = max(64, 2 * waiting.count)
        }
        waiting.append((exchange, attempt))
        watch()
    }

    /// Lets go of attempts that waited.
    ///
    /// Whoever was connected to and did not answer as HTTP/2 begins does not speak it, which says
    /// nothing else of the upstream, unless it said nothing at all; nor does the end of a
    /// connection that stood.
    ///
    /// - Parameter connecting: how attempts failed for which there never was a connection.
    func failWaiting(_ connecting: ForwardingFailure = .connectFailed) {
        let speaksOther = isEstablished && !connection.hasSettings && !isRetired && !isSilent
        if speaksOther { upstream.note(speaksHTTP2: false, now: .now()) }
        while let (exchange, attempt) = waiting.popFirst() {
            if speaksOther {
                pool.openByHTTP1(address, for: exchange, attempt: attempt)
            } else {
                exchange.failed(
                    connection.hasSettings ? .unprocessed : connecting, attempt: attempt)
            }
        }
    }
}

extension HTTP2UpstreamConnection: UnusedConnection {
    func closeUnused(_ completion: @escaping @Sendable () -> Void) {
        guard let context else { return completion() }
        context.channel.closeFuture.whenComplete { _ in completion() }
        closeUnused()
    }
}

extension HTTP2Limits {
    /// Those of connections to upstreams: what is trusted with requests is not watched for floods.
    static var upstream: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.floods = .none
        return limits
    }
}
