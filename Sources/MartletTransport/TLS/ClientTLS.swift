import MartletCore
import NIOSSL

/// What a client needs to speak TLS with a server that it does not trust blindly.
public struct ClientTLS: Sendable, Hashable {
    /// A certificate and its private key.
    public struct Identity: Sendable, Hashable {
        /// The client's certificate, and behind it those between it and the root.
        public var certificateChain: PEMSource

        /// The private key of the first certificate, unencrypted.
        public var privateKey: PEMSource

        /// Creates an identity.
        public init(certificateChain: PEMSource, privateKey: PEMSource) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }

    /// Authorities that sign servers' certificates; nil for those that the system trusts.
    public var authorities: PEMSource?

    /// What is shown to servers that ask who the client is; nil for nothing.
    public var identity: Identity?

    /// Creates a configuration.
    public init(authorities: PEMSource? = nil, identity: Identity? = nil) {
        self.authorities = authorities
        self.identity = identity
    }

    /// Reads and checks certificates and keys.
    ///
    /// - Parameter applicationProtocols: what is offered to speak inside.
    /// - Returns: what connections are encrypted by.
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    func load(applicationProtocols: [String] = ["http/1.1"]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.curves = TLSConfiguration.groups
        configuration.applicationProtocols = applicationProtocols
        if let authorities {
            configuration.trustRoots = .certificates(
                try PEM.certificates(in: authorities, role: "authority"))
        }
        if let identity {
            configuration.certificateChain = try PEM.certificates(
                in: identity.certificateChain, role: "certificate"
            ).map { .certificate($0) }
            configuration.privateKey = .privateKey(try PEM.privateKey(in: identity.privateKey))
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ServingError(
                .invalidArgument, "The certificate and the key do not fit together", cause: error)
        }
    }
}
