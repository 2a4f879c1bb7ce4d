import MartletConfiguration
import MartletTransport
import Synchronization

extension TrafficPolicy {
    /// How the endpoints of each pool are connected to.
    ///
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    func upstreamOptions() throws -> [String: UpstreamOptions] {
        Dictionary(try pools.map { ($0.name, try $0.upstreamOptions()) }) { first, _ in first }
    }
}

extension GatewayRules {
    /// Lets endpoints be connected to as their pools say.
    func apply(_ options: [String: UpstreamOptions], to upstreams: UpstreamPools?) {
        for pool in pools {
            guard let own = options[pool.settings.name] else { continue }
            pool.options.withLock { $0 = own }
            pool.optionsVersion.add(1, ordering: .releasing)
            // Each pool's addresses are its own, so that none speaks as another pool's options say.
            for address in pool.directory.addresses { upstreams?.setOptions(own, for: address) }
        }
    }
}

extension TrafficPolicy.Pool {
    /// How its endpoints are connected to.
    ///
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    fileprivate func upstreamOptions() throws -> UpstreamOptions {
        var options = UpstreamOptions()
        options.encryption = try tls.map {
            try UpstreamEncryption($0.clientTLS, serverName: $0.serverName)
        }
        options.connectTimeout = connectTimeout
        options.idleTimeout = idleTimeout
        options.pingInterval = pingInterval > .zero ? pingInterval : nil
        options.pingTimeout = pingTimeout
        options.connectionsMax = breakers.connectionsMax
        options.pendingRequestsMax = breakers.pendingRequestsMax
        options.loadReportInterval =
            balancing.goesByLoadReports && loadReportInterval > .zero ? loadReportInterval : nil
        return options
    }
}

extension TrafficPolicy.Pool {
    /// Endpoints as this pool connects to them, and no other: not even this one once it has other
    /// TLS, for which connections from before are of no use.
    func own(_ endpoints: EndpointSet) -> EndpointSet {
        EndpointSet(endpoints.endpoints.map { own($0) })
    }

    /// One endpoint as this pool connects to it.
    func own(_ endpoint: DiscoveredEndpoint) -> DiscoveredEndpoint {
        DiscoveredEndpoint(
            address: endpoint.address.inGroup(connectionGroup, isEncrypted: tls != nil),
            weight: endpoint.weight, locality: endpoint.locality)
    }

    private var connectionGroup: String {
        let files = tls.map { [$0.caFile, $0.certificateFile, $0.keyFile, $0.serverName] } ?? []
        return ([name] + files.map { $0 ?? "" }).joined(separator: "\n")
    }
}

extension TrafficPolicy.Endpoint {
    /// The endpoint as requests are forwarded to it.
    var upstream: UpstreamAddress { UpstreamAddress(host: address.host, port: address.port) }
}

extension TrafficPolicy.UpstreamTLS {
    /// What the gateway shows and trusts.
    var clientTLS: ClientTLS {
        var client = ClientTLS(authorities: caFile.map { .file($0) })
        if let certificateFile, let keyFile {
            client.identity = .init(
                certificateChain: .file(certificateFile), privateKey: .file(keyFile))
        }
        return client
    }
}
