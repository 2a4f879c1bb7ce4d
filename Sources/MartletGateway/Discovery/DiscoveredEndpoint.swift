public import MartletTransport

/// An endpoint as discovery tells of it: where it is and how it is to be used.
public struct DiscoveredEndpoint: Sendable, Hashable {
    /// Where it listens.
    public let address: UpstreamAddress
    /// Its share of the requests relative to the others', from 1 to 1,000,000; 1 says nothing.
    public let weight: Int
    /// Where it stands.
    public let locality: Locality

    /// The weights there are.
    static let weights = 1...1_000_000

    /// An endpoint; its weight is brought into its range.
    public init(address: UpstreamAddress, weight: Int = 1, locality: Locality = Locality()) {
        self.address = address
        self.weight = min(max(weight, Self.weights.lowerBound), Self.weights.upperBound)
        self.locality = locality
    }

    /// Its name in the gateway.
    public var id: EndpointID { EndpointID(address.description) }
}

/// The endpoints there are at one time, each once.
public struct EndpointSet: Sendable, Hashable {
    /// The most endpoints that are taken from who tells of them.
    static let countMax = 10_000

    private let byID: [EndpointID: DiscoveredEndpoint]

    /// A set; of endpoints with the same address the last one counts.
    public init(_ endpoints: some Sequence<DiscoveredEndpoint> = []) {
        byID = Dictionary(endpoints.map { ($0.id, $0) }) { $1 }
    }

    /// The endpoints, in order of address.
    public var endpoints: [DiscoveredEndpoint] { byID.values.sorted { $0.id < $1.id } }

    /// How many there are.
    public var count: Int { byID.count }

    /// The endpoint of a name; nil if it is not among them.
    public subscript(id: EndpointID) -> DiscoveredEndpoint? { byID[id] }
}

/// What makes one set of endpoints into another.
public struct EndpointSetDifference: Sendable, Hashable {
    /// An endpoint of which something but its address is different.
    public struct Change: Sendable, Hashable {
        /// What it was.
        public let before: DiscoveredEndpoint
        /// What it is.
        public let after: DiscoveredEndpoint
    }

    /// Endpoints of the new set alone, in order of address.
    public let added: [DiscoveredEndpoint]
    /// Endpoints of the old set alone, in order of address.
    public let removed: [DiscoveredEndpoint]
    /// Endpoints of both sets that differ, in order of address.
    public let changed: [Change]

    /// Compares two sets.
    public init(from old: EndpointSet, to new: EndpointSet) {
        added = new.endpoints.filter { old[$0.id] == nil }
        removed = old.endpoints.filter { new[$0.id] == nil }
        changed = new.endpoints.compactMap { after in
            guard let before = old[after.id], before != after else { return nil }
            return Change(before: before, after: after)
        }
    }

    /// Whether the sets are equal.
    public var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }
}
