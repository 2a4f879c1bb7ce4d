import ArgumentParser
import MartletConfiguration

/// A host and a port as command lines name them, `127.0.0.1:8080` or `[::1]:8080`.
struct NetworkAddress: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
    /// A name or an address, without brackets.
    let host: String
    /// 0 to 65535.
    let port: Int

    /// Creates an address.
    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads an address; nil unless it has both a host and a port.
    init?(argument: String) {
        guard let address = HostAndPort(argument) else { return nil }
        self.init(host: address.host, port: address.port)
    }

    /// The address as command lines name it.
    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Where a process of this machine reaches a listener bound to this address.
    var reachable: NetworkAddress {
        switch host {
        case "0.0.0.0": NetworkAddress(host: "127.0.0.1", port: port)
        case "::": NetworkAddress(host: "::1", port: port)
        default: self
        }
    }
}
