import MartletConfiguration
import MartletTransport

extension TrafficPolicy {
    /// How the endpoints of pools are spoken to that are not spoken to in the clear.
    ///
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    func upstreamEncryption() throws -> [UpstreamAddress: UpstreamEncryption] {
        var all: [UpstreamAddress: UpstreamEncryption] = [:]
        for pool in pools {
            guard let tls = pool.tls else { continue }
            let encryption = try UpstreamEncryption(tls.clientTLS, serverName: tls.serverName)
            for endpoint in pool.endpoints {
                all[endpoint.upstream] = encryption
            }
        }
        return all
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
