public import MartletCore

/// Names an endpoint: a node as the gateway reaches it, written `host:port`.
///
/// The address is taken as given. Whoever reads it from the configuration has checked it.
public struct EndpointID: Hashable, Sendable, Comparable, CustomStringConvertible {
    private let name: HashedText

    /// The `host:port` this endpoint listens on.
    public var address: String { name.text }

    /// Names the endpoint that listens on `address`.
    public init(_ address: String) { name = HashedText(address) }

    /// Names the endpoint that listens on `name`.
    public init(_ name: HashedText) { self.name = name }

    /// The address, as shown in logs and metrics.
    public var description: String { address }

    /// Orders endpoints by address, so that listings are the same every time.
    public static func < (lhs: EndpointID, rhs: EndpointID) -> Bool {
        lhs.name < rhs.name
    }
}
