import SwiftASN1
import X509

/// Verifies the certificates that clients show where some may be revoked.
///
/// Elsewhere the library of TLS verifies, which takes no lists, and shows a client's chain only to
/// who takes the whole verification over. So this does what that does, by RFC 5280, section 6: a
/// path to an authority that signed itself, in which everybody may sign, everything is in time, and
/// all are for clients; and none of it is revoked.
struct ClientVerifier: Sendable {
    /// What became of a chain.
    enum Verdict: Sendable, Equatable {
        case trusted
        /// No path leads from it to an authority.
        case untrusted
        /// This one is revoked, of a chain that would be trusted.
        case revoked(Certificate)
    }

    /// The most certificates that a client may show, its own among them: each further one costs
    /// time, and nobody knows yet who asks for it.
    static let shownMax = 10

    private let roots: CertificateStore
    /// Authorities that another one signed.
    private let intermediates: [Certificate]
    private let revoked: RevokedCertificates

    /// Creates a verifier.
    ///
    /// - Parameters:
    ///   - authorities: those that sign clients' certificates.
    ///   - revoked: certificates that are no longer good.
    init(authorities: [Certificate], revoked: RevokedCertificates) {
        roots = CertificateStore(authorities.filter { $0.subject == $0.issuer })
        intermediates = authorities.filter { $0.subject != $0.issuer }
        self.revoked = revoked
    }

    /// Decides on what a client shows, its own certificate first.
    ///
    /// A chain with a certificate that is revoked is refused even if there is a way around it:
    /// whoever shows that is not up to date.
    func verdict(on shown: [Certificate]) async -> Verdict {
        guard let leaf = shown.first, shown.count <= ClientVerifier.shownMax else {
            return .untrusted
        }
        var verifier = Verifier(rootCertificates: roots) {
            RFC5280Policy()
            ClientPurposePolicy()
        }
        let result = await verifier.validate(
            leaf: leaf, intermediates: CertificateStore(between(shown.dropFirst())))
        guard case .validCertificate(let path) = result else { return .untrusted }
        let found = (shown + path).first { revoked.contains($0) }
        return found.map(Verdict.revoked) ?? .trusted
    }

    /// The certificates that may stand between the client's and a root, one for each name and key.
    ///
    /// More of them would be tried in every order, of which there are as many as somebody likes.
    private func between(_ shown: ArraySlice<Certificate>) -> [Certificate] {
        var known: Set<Signer> = []
        return (intermediates + shown).filter { certificate in
            known.insert(Signer(name: certificate.subject, key: certificate.publicKey)).inserted
        }
    }

    private struct Signer: Hashable {
        let name: DistinguishedName
        let key: Certificate.PublicKey
    }
}

/// Wants a client's certificate to be for clients, and those above to sign, as far as they say what
/// they are for (RFC 5280, sections 4.2.1.3 and 4.2.1.12).
struct ClientPurposePolicy: VerifierPolicy {
    /// Beside the purpose, what nothing is asked of here: names, which access control reads, and
    /// policies, of which any will do.
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.subjectAlternativeName,
        ClientPurposePolicy.certificatePolicies,
    ]

    /// RFC 5280, section 4.2.1.4.
    private static let certificatePolicies: ASN1ObjectIdentifier = [2, 5, 29, 32]

    func chainMeetsPolicyRequirements(
        chain: UnverifiedCertificateChain
    ) async -> PolicyEvaluationResult {
        for (place, certificate) in chain.enumerated() {
            guard let purposes = try? certificate.extensions.purposes,
                purposes.isEmpty || purposes.contains(.clientAuth)
            else { return .failsToMeetPolicy(reason: "A certificate is not for clients") }
            guard let usage = try? certificate.extensions.usage,
                place == 0 ? usage.digitalSignature : usage.keyCertSign
            else { return .failsToMeetPolicy(reason: "A key is used for what it is not for") }
        }
        return .meetsPolicy
    }
}

extension Certificate.Extensions {
    /// What the certificate is for; nothing if it does not say.
    fileprivate var purposes: [ExtendedKeyUsage.Usage] {
        get throws { try extendedKeyUsage.map(Array.init) ?? [] }
    }

    /// What the key is for; for all if it does not say.
    fileprivate var usage: KeyUsage {
        get throws { try keyUsage ?? KeyUsage(digitalSignature: true, keyCertSign: true) }
    }
}
