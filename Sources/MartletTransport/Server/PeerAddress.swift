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

/// Addresses of peers, as requests tell them.
public enum PeerAddress {
    /// Whether an address and port, as the transport writes them, are of this machine.
    public static func isLoopback(_ address: String) -> Bool {
        if address.hasPrefix("unix:") || address == "[::1]" || address.hasPrefix("[::1]:") {
            return true
        }
        var host = Substring(address)
        for prefix in ["[::ffff:", "[::FFFF:"] where host.hasPrefix(prefix) {
            host = host.dropFirst(prefix.count)
        }
        let numbers = host.prefix { $0 != ":" && $0 != "]" }.split(
            separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127"
            && numbers.allSatisfy { UInt8($0) != nil }
    }
}
