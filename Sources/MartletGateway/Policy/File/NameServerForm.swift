import MartletConfiguration

/// How a name server is written.
enum NameServerForm {
    /// `address:port`, which needs no name to be resolved.
    static let address = ConfigurationForm<HostAndPort>.text(
        ConfigurationText(
            "a name server's address such as 10.0.0.2:53 or [2001:db8::2]:53",
            pattern: #"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$"#),
        written: { $0.description },
        parse: { text in
            guard let server = HostAndPort(text), NameServer.isAddress(server.host) else {
                return .wrong("is not an address and a port")
            }
            return server.port == 0 ? .wrong("has port 0") : .value(server)
        })
}

extension TrafficPolicy.DNS {
    /// What is looked up for the pool.
    var discovery: DNSDiscovery.Configuration {
        let record: DNSResolution.Record =
            switch self.record {
            // Checked before: a port comes with addresses.
            case .address: .addresses(port: port ?? 0)
            case .service: .services
            }
        return DNSDiscovery.Configuration(
            name: name, record: record, refreshInterval: refreshInterval)
    }

    /// Whom the pool's lookups ask.
    var resolver: SystemResolver {
        SystemResolver(
            server: server.flatMap { NameServer(address: $0.host, port: $0.port) })
    }
}
