import MartletConfiguration
import MartletCore
import MartletTransport

extension TrafficPolicy {
    /// What the listener needs; `nil` to serve in the clear.
    var serverTLS: ServerTLS? {
        guard let tls else { return nil }
        var server = ServerTLS(
            certificateChain: .file(tls.certificateFile), privateKey: .file(tls.keyFile))
        server.minimumVersion = tls.minimumVersion == .tls13 ? .tls13 : .tls12
        if let file = tls.clientCAFile {
            server.clientVerification =
                switch tls.clientCertificates {
                case .none: .off
                case .optional: .optional(authorities: .file(file))
                case .required: .required(authorities: .file(file))
                }
        }
        server.revocationLists = tls.revocationFile.map { .file($0) }
        return server
    }
}

extension GatewayRules {
    /// All endpoints as the admin API shows them.
    var status: EndpointsStatus {
        EndpointsStatus(endpoints: pools.flatMap { $0.directory.status.endpoints })
    }
}
