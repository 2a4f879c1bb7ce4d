import NIOCore

extension SocketAddress {
    /// `host:port`, or `unix:` and the path of a Unix socket, which clients have none of.
    var text: String {
        if var ipAddress, let port {
            // A client of IPv4 that came by a socket of IPv6.
            if ipAddress.hasPrefix("::ffff:"), ipAddress.contains(".") { ipAddress.removeFirst(7) }
            return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
        }
        return pathname.map { "unix:\($0)" } ?? "unknown"
    }
}
