import MartletConfiguration
import MartletCore
import MartletTransport

/// What a policy may say, and this gateway cannot do yet.
extension TrafficPolicy {
    /// Refuses what must not be left undone in silence.
    ///
    /// - Throws: `ServingError` (`UNIMPLEMENTED`) that names the key.
    func checkSupport() throws(ServingError) {
        if tls?.revocationFile != nil { throw TrafficPolicy.missing("tls.revocation_file") }
        if tls?.clientCertificates == .optional {
            throw TrafficPolicy.missing(
                "tls.client_certificates: optional", instead: "'none' or 'required'")
        }
    }

    /// Keys that have no effect yet.
    var keysWithoutEffect: [String] {
        if let tls, !tls.tenants.isEmpty { return ["tls.tenants"] }
        return []
    }

    private static func missing(_ key: String, instead: String? = nil) -> ServingError {
        let advice = instead.map { "; use \($0)" } ?? ""
        return ServingError(.unimplemented, "\(key) is not supported yet\(advice)")
    }

    /// What the listener needs; `nil` to serve in the clear.
    var serverTLS: ServerTLS? {
        guard let tls else { return nil }
        var server = ServerTLS(
            certificateChain: .file(tls.certificateFile), privateKey: .file(tls.keyFile))
        server.minimumVersion = tls.minimumVersion == .tls13 ? .tls13 : .tls12
        if tls.clientCertificates == .required, let file = tls.clientCAFile {
            server.clientVerification = .required(authorities: .file(file))
        }
        return server
    }
}

extension GatewayRules {
    /// All endpoints as the admin API shows them.
    var status: EndpointsStatus {
        EndpointsStatus(endpoints: pools.flatMap { $0.directory.status.endpoints })
    }
}
