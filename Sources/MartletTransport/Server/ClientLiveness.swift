import MartletCore
import NIOCore
import NIOPosix

/// How the kernel finds out that a client's machine is gone, which says no farewell.
///
/// Set on the socket that listens: those that it accepts inherit it (tcp(7)), at no cost for each.
struct ClientLiveness {
    /// Questions that go unanswered before an idle connection is given up.
    static let keepaliveProbes = 3

    /// How long bytes may stay unacknowledged, or the client's window closed, in milliseconds; 0
    /// for as long as the system likes.
    let unacknowledgedMilliseconds: Int

    /// How long a connection is silent before the client's machine is asked, in seconds; 0 to never
    /// ask.
    let keepaliveSeconds: Int

    /// Seconds between two such questions.
    var probeSeconds: Int { max(1, keepaliveSeconds / 4) }

    init(_ limits: Limits) {
        let milliseconds = TimeAmount(limits.unacknowledgedTimeout).nanoseconds / 1_000_000
        unacknowledgedMilliseconds = Int(max(0, min(milliseconds, Int64(Int32.max))))
        let seconds = Int(TimeAmount(limits.keepalive).nanoseconds / 1_000_000_000)
        // What is less than a second is not never; the kernel takes no more than this.
        keepaliveSeconds = limits.keepalive > .zero ? min(max(1, seconds), 32_767) : 0
    }

    /// Sets up a socket that listens.
    func apply(to bootstrap: ServerBootstrap) -> ServerBootstrap {
        let timed = bootstrap.serverChannelOption(
            .tcpOption(.tcpUserTimeout), value: SocketOptionValue(unacknowledgedMilliseconds))
        guard keepaliveSeconds > 0 else { return timed }
        return
            timed
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(
                .tcpOption(.tcpKeepIdle), value: SocketOptionValue(keepaliveSeconds)
            )
            .serverChannelOption(
                .tcpOption(.tcpKeepInterval), value: SocketOptionValue(probeSeconds)
            )
            .serverChannelOption(
                .tcpOption(.tcpKeepCount),
                value: SocketOptionValue(ClientLiveness.keepaliveProbes))
    }
}

extension NIOBSDSocket.Option {
    /// Silent seconds before the first question; `TCP_KEEPIDLE` of Linux.
    static let tcpKeepIdle = NIOBSDSocket.Option(rawValue: 4)

    /// Seconds between two questions; `TCP_KEEPINTVL` of Linux.
    static let tcpKeepInterval = NIOBSDSocket.Option(rawValue: 5)

    /// Unanswered questions before the end; `TCP_KEEPCNT` of Linux.
    static let tcpKeepCount = NIOBSDSocket.Option(rawValue: 6)
}
