/// What a listener needs to speak TLS.
///
/// The protocol above is agreed upon by ALPN. Keys are exchanged by X25519MLKEM768 where the client
/// can, which is safe against quantum computers to come (draft-ietf-tls-ecdhe-mlkem).
public struct ServerTLS: Sendable, Hashable {
    /// Whether clients must show a certificate.
    public enum ClientVerification: Sendable, Hashable {
        /// Clients stay anonymous.
        case off
        /// Clients without a certificate that one of these authorities signed are turned away.
        case required(authorities: PEMSource)
    }

    /// The server's certificate, and behind it those of the authorities between it and the root.
    public var certificateChain: PEMSource

    /// The private key of the first certificate, unencrypted.
    public var privateKey: PEMSource

    /// Whether clients must show a certificate.
    public var clientVerification: ClientVerification

    /// The oldest version of TLS.
    public enum Version: Sendable, Hashable {
        case tls12
        case tls13
    }

    /// The oldest version that is spoken.
    public var minimumVersion = Version.tls12

    /// Longest a handshake may take.
    public var handshakeTimeout: Duration = .seconds(10)

    /// Creates a configuration.
    public init(
        certificateChain: PEMSource, privateKey: PEMSource,
        clientVerification: ClientVerification = .off
    ) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.clientVerification = clientVerification
    }
}
