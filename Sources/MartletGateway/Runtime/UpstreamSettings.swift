import MartletConfiguration
import MartletTransport

extension TrafficPolicy {
    /// How the endpoints of pools are connected to.
    ///
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    func upstreamOptions() throws -> [UpstreamAddress: UpstreamOptions] {
        var all: [UpstreamAddress: UpstreamOptions] = [:]
        for pool in pools {
            let options = try pool.upstreamOptions()
            for endpoint in pool.endpoints { all[endpoint.upstream] = options }
        }
        return all
    }
}

extension TrafficPolicy.Pool {
    /// How its endpoints are connected to.
    ///
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    func upstreamOptions() throws -> UpstreamOptions {
        var options = UpstreamOptions()
        options.encryption = try tls.map {
            try UpstreamEncryption($0.clientTLS, serverName: $0.serverName)
        }
        options.connectTimeout = connectTimeout
        options.idleTimeout = idleTimeout
        options.connectionsMax = breakers.connectionsMax
        options.pendingRequestsMax = breakers.pendingRequestsMax
        return options
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
