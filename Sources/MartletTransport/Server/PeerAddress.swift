import NIOCore

extension SocketAddress {
    /// `host:port`, or `unix:` and the path of a Unix socket, which clients have none of.
    var text: String {
        if let ipAddress, let port {
            return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
        }
        return pathname.map { "unix:\($0)" } ?? "unknown"
    }
}
