/// What is known of the addresses of a name, by how they were asked for.
struct AddressAnswer: Sendable {
    /// A way to ask for addresses, of which one may work while another fails.
    enum Way: Sendable, Hashable, CaseIterable {
        /// The system's, of both families.
        case system
        /// The records of IPv4 addresses.
        case ipv4
        /// The records of IPv6 addresses.
        case ipv6
        /// With the answer to another question.
        case along
    }

    /// What came of each way that was tried: addresses, at least one; or why there are none.
    var results: [Way: Result<[String], DNSFailure>]
}

/// What is known of the places of a service.
struct ServiceAnswer: Sendable {
    /// The places.
    var records: [ServiceRecord]
    /// Addresses that came along, by the name that has them, in lower case.
    var addresses: [String: [String]] = [:]
}

/// Resolves names, and makes the thread wait that asks.
///
/// How long is the resolver's own affair, but it ends.
protocol NameResolver: Sendable {
    /// The addresses of a name, in text.
    func addresses(of name: String) -> AddressAnswer

    /// The places of a service, by its full name such as `_http._tcp.nodes.example`.
    ///
    /// - Throws: also ``DNSFailure/noRecords``: there is at least one.
    func services(of name: String) throws(DNSFailure) -> ServiceAnswer
}
