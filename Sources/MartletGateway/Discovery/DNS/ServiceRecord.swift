import MartletTransport

/// Where a service is offered: an SRV record (RFC 2782).
struct ServiceRecord: Sendable, Hashable {
    /// The group that it belongs to; of these the lowest counts.
    let priority: Int
    /// Its share within its group; 0 is a very small one.
    let weight: Int
    /// The port at its target.
    let port: Int
    /// The name of its host, in lower case; empty where the service is said not to be offered.
    let target: String

    /// Whether it names something that can be connected to.
    private var isUsable: Bool { !target.isEmpty && port > 0 }

    /// Records in groups of one priority, the lowest first; those that name nothing are left out.
    static func groups(of records: [ServiceRecord]) -> [[ServiceRecord]] {
        let usable = Set(records).filter(\.isUsable)
        return Dictionary(grouping: usable, by: \.priority).sorted { $0.key < $1.key }.map {
            $0.value.sorted { ($0.target, $0.port, $0.weight) < ($1.target, $1.port, $1.weight) }
        }
    }

    /// Parts that a weight of 1 has, so that less than 1 can be had.
    private static let parts = 10

    /// The weight of each of so many addresses of its target, which share the record's.
    ///
    /// A record of weight 0 has a tenth of what one of weight 1 has: it is to have a very small
    /// chance beside others, and the same where all are 0 (RFC 2782).
    func weight(among addresses: Int) -> Int {
        max(1, weight * Self.parts / max(1, addresses))
    }

    /// The endpoints of a group.
    ///
    /// - Parameters:
    ///   - records: the group.
    ///   - addresses: those of each target that has any.
    /// - Returns: the endpoints. Where two records lead to the same address and port, it has the
    ///   weight of both.
    static func endpoints(
        of records: [ServiceRecord], addresses: [String: [String]]
    ) -> EndpointSet {
        var weights: [UpstreamAddress: Int] = [:]
        for record in records {
            let hosts = addresses[record.target] ?? []
            for host in hosts {
                let address = UpstreamAddress(host: host, port: record.port)
                weights[address, default: 0] += record.weight(among: hosts.count)
            }
        }
        return EndpointSet(weights.map { DiscoveredEndpoint(address: $0.key, weight: $0.value) })
    }
}
