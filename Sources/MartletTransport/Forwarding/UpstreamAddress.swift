public import MartletCore

/// Where a request can be forwarded to.
public struct UpstreamAddress: Sendable, Hashable, CustomStringConvertible {
    /// Copied and looked up by for every request: one reference, made once.
    private final class Parts: Sendable {
        let host: String
        let port: Int
        let name: HashedText
        let connections: HashedText
        let isEncrypted: Bool
        /// What the connections of requests are kept by, where these are of their copies.
        let requestConnections: HashedText?

        init(host: String, port: Int, group: String?, isEncrypted: Bool) {
            self.host = host
            self.port = port
            self.isEncrypted = isEncrypted
            name = HashedText("\(host):\(port)")
            connections = group.map { HashedText("\(host):\(port) \($0)") } ?? name
            requestConnections = nil
        }

        init(copiesOf requests: Parts) {
            host = requests.host
            port = requests.port
            name = requests.name
            isEncrypted = requests.isEncrypted
            requestConnections = requests.connections
            connections = HashedText("\(requests.connections.text)\ncopies")
        }
    }

    private let parts: Parts

    /// Creates an address.
    public init(host: String, port: Int) {
        parts = Parts(host: host, port: port, group: nil, isEncrypted: false)
    }

    private init(_ parts: Parts) { self.parts = parts }

    /// The same host and port, which has connections, options and bounds of its own in this group.
    ///
    /// - Parameters:
    ///   - group: tells them apart from those of others who name the same host and port.
    ///   - isEncrypted: whether nothing goes there but by TLS.
    /// - Returns: the address, equal to this one.
    public func inGroup(_ group: String, isEncrypted: Bool) -> UpstreamAddress {
        UpstreamAddress(Parts(host: host, port: port, group: group, isEncrypted: isEncrypted))
    }

    /// The same address for copies of requests, which have connections of their own to it.
    ///
    /// No request waits for a connection that a copy has, or is refused for it; whereas a copy gets
    /// no further one while requests and copies together have as many as requests may have.
    public var forCopies: UpstreamAddress {
        parts.requestConnections == nil ? UpstreamAddress(Parts(copiesOf: parts)) : self
    }

    /// Name or address of the host.
    public var host: String { parts.host }

    /// The port.
    public var port: Int { parts.port }

    /// `host:port`, to look things up by.
    public var name: HashedText { parts.name }

    /// What its connections are kept by: host, port and group.
    var connections: HashedText { parts.connections }

    /// What the connections of requests are kept by, where this address is for their copies.
    var requestConnections: HashedText? { parts.requestConnections }

    /// Whether nothing goes there but by TLS.
    var isEncrypted: Bool { parts.isEncrypted }

    /// Host and port as requests name them: an IPv6 address is in brackets (RFC 3986, section
    /// 3.2.2).
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : description }

    /// `host:port`.
    public var description: String { parts.name.text }

    /// Whether both are the same host and port, of whichever groups.
    public static func == (left: UpstreamAddress, right: UpstreamAddress) -> Bool {
        left.parts.name == right.parts.name
    }

    /// Takes host and port in.
    public func hash(into hasher: inout Hasher) { hasher.combine(parts.name) }
}
