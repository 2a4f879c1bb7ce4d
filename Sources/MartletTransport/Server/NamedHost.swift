import NIOCore

/// The host of an authority, as `Host` and `:authority` name it; its port says nothing here.
enum NamedHost: Equatable {
    /// An IP address in its usual form, without brackets.
    case address(String)
    /// A name, in lower case and without a final dot.
    case name(String)

    /// Reads an authority; nil unless it is a host, and perhaps a port, and nothing else.
    init?(_ authority: String) {
        guard let host = NamedHost.host(of: authority) else { return nil }
        if authority.hasPrefix("[") {
            guard host.contains(":"), let address = NamedHost.canonical(host) else { return nil }
            self = .address(address)
        } else if let address = NamedHost.canonical(host) {
            self = .address(address)
        } else {
            var name = host
            if name.hasSuffix(".") { name = name.dropLast() }
            // Numbers in other forms than usual are addresses to some, and names to none.
            guard NamedHost.isName(name), !NamedHost.isNumber(name) else { return nil }
            self = .name(name.lowercased())
        }
    }

    /// Whether it can only be this machine, whatever a name server says.
    var isLoopback: Bool {
        switch self {
        case .address(let address):
            address.contains(":")
                ? address == "::1" || address.hasPrefix("::ffff:127.") : address.hasPrefix("127.")
        case .name(let name): name == "localhost"
        }
    }

    /// Whether a text that a listener is bound to, which has no port, is of this machine alone.
    static func isLoopback(bound host: String) -> Bool {
        NamedHost(host.contains(":") ? "[\(host)]" : host)?.isLoopback ?? false
    }

    /// The host without brackets; nil if what follows it is no port.
    private static func host(of authority: String) -> Substring? {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[..<end].dropFirst()
            rest = authority[authority.index(after: end)...]
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority[host.endIndex...]
        }
        guard !rest.isEmpty else { return host }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            UInt16(digits) != nil
        else { return nil }
        return host
    }

    private static func canonical(_ host: Substring) -> String? {
        // The port is not looked at.
        (try? SocketAddress(ipAddress: String(host), port: 0))?.ipAddress
    }

    private static func isName(_ host: Substring) -> Bool {
        !host.isEmpty && host.utf8.count <= 253 && !host.hasPrefix(".") && !host.hasSuffix(".")
            && !host.contains("..")
            && host.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Whether the last part is a number, which browsers take for an address.
    private static func isNumber(_ host: Substring) -> Bool {
        let last = host.split(separator: ".").last ?? ""
        let isHexadecimal = last.lowercased().hasPrefix("0x")
        return isHexadecimal || last.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
