import MartletConfiguration

extension TrafficPolicy {
    /// A node of a pool.
    struct Endpoint: Sendable, Equatable {
        var address: HostAndPort
        var weight = Keys.weight.standard
        var locality = Locality()

        enum Keys {
            static let address = ConfigurationKey(
                "address", EndpointForm.address, isRequired: true, "Where the node listens.")
            static let weight = ConfigurationKey(
                "weight", .number(0.001...1000), default: 1,
                "What the node can carry, relative to others; for algorithms that do not measure "
                    + "it.")
            static let region = ConfigurationKey("region", PolicyText.name, "Its region.")
            static let zone = ConfigurationKey("zone", PolicyText.name, "Its zone.")
        }
    }
}

extension TrafficPolicy.Endpoint: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "endpoint", "A node of a pool.",
        keys: [Keys.address, Keys.weight, Keys.region, Keys.zone])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let address = section.read(Keys.address, &problems)
        weight = section.read(Keys.weight, &problems)
        locality = TrafficPolicy.Locality(
            region: section.read(Keys.region, &problems), zone: section.read(Keys.zone, &problems))
        guard let address else { return nil }
        self.address = address
    }
}

/// How endpoints are written.
enum EndpointForm {
    private static let text = ConfigurationText(
        "an address such as 10.0.0.1:8500", pattern: #"^([^\[\]:/ ]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$"#)

    /// `host:port`, the port not being 0.
    static let address = ConfigurationForm<HostAndPort>.text(
        text, written: { $0.description }, parse: parse)

    /// An address alone, or with what is known of the node.
    static let form = ConfigurationForm<TrafficPolicy.Endpoint>.textOrSection(text) { text in
        switch parse(text) {
        case .value(let address): .value(TrafficPolicy.Endpoint(address: address))
        case .wrong(let fault): .wrong(fault)
        }
    }

    private static func parse(_ text: String) -> ConfigurationParsed<HostAndPort> {
        guard !text.utf8.contains(where: { "/ ".utf8.contains($0) }),
            let address = HostAndPort(text)
        else { return .wrong("is not a host and a port") }
        return address.port == 0 ? .wrong("has port 0") : .value(address)
    }
}
