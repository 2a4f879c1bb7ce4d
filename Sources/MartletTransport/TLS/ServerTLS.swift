/// What a listener needs to speak TLS.
///
/// The protocol above is agreed upon by ALPN. Keys are exchanged by X25519MLKEM768 where the client
/// can, which is safe against quantum computers to come (draft-ietf-tls-ecdhe-mlkem).
public struct ServerTLS: Sendable, Hashable {
    /// Whether clients must show a certificate.
    public enum ClientVerification: Sendable, Hashable {
        /// Clients stay anonymous.
        case off
        /// Clients may stay anonymous; those that show a certificate which none of these
        /// authorities signed are turned away.
        case optional(authorities: PEMSource)
        /// Clients without a certificate that one of these authorities signed are turned away.
        case required(authorities: PEMSource)
    }

    /// The server's certificate, and behind it those of the authorities between it and the root.
    public var certificateChain: PEMSource

    /// The private key of the first certificate, unencrypted.
    public var privateKey: PEMSource

    /// Whether clients must show a certificate.
    public var clientVerification: ClientVerification

    /// Lists of certificates that are revoked, in the format of PEM or DER; nil for none.
    ///
    /// Clients that show one of those are turned away. Each list is signed by one of the clients'
    /// authorities. Where clients stay anonymous they mean nothing.
    ///
    /// A list past its time is used all the same, and complained of once a day: it says less than
    /// it should, but nothing wrong. To trust nobody instead would turn a missed renewal, or
    /// whoever holds it up, into an outage for all.
    public var revocationLists: PEMSource?

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

extension ServerTLS.ClientVerification {
    /// Where the authorities are that sign clients' certificates; nil where nobody asks.
    var authorities: PEMSource? {
        switch self {
        case .off: nil
        case .optional(let authorities), .required(let authorities): authorities
        }
    }

    /// The same with other authorities.
    func with(authorities: PEMSource) -> Self {
        switch self {
        case .off: .off
        case .optional: .optional(authorities: authorities)
        case .required: .required(authorities: authorities)
        }
    }
}
