/// Where a listener takes connections.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A TCP port; 0 lets the system choose one.
    case tcp(host: String, port: Int)

    /// A TCP port of all addresses of the machine: those of IPv6 and of IPv4, or of IPv4 alone
    /// where there is no IPv6.
    case anyTCP(port: Int)

    /// A Unix domain socket at a path, absolute or relative to the working directory.
    case unixSocket(path: String)

    /// The address as messages and logs write it: `host:port` or `unix:path`.
    public var description: String {
        switch self {
        case .tcp(let host, let port):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .anyTCP(let port): "[::]:\(port)"
        case .unixSocket(let path): "unix:\(path)"
        }
    }

    /// Whether it is no port.
    var isUnixSocket: Bool {
        if case .unixSocket = self { true } else { false }
    }

    /// The same address with another port.
    func with(port: Int) -> ListenAddress {
        switch self {
        case .tcp(let host, _): .tcp(host: host, port: port)
        case .anyTCP: .anyTCP(port: port)
        case .unixSocket: self
        }
    }
}
