import Foundation
import MartletCore
import X509

/// Signs certificates and lists of revoked ones, by the profile of RFC 5280.
///
/// A functional core: dates, serial numbers and keys come in, and no file is touched.
struct CertificateAuthority: Sendable {
    /// The authority's own certificate.
    let certificate: Certificate
    /// The authority's certificate, and behind it those between it and its root.
    let chain: [Certificate]
    let key: SigningKey

    /// Puts an authority together.
    ///
    /// - Parameters:
    ///   - chain: its certificate, and those between it and its root.
    ///   - key: the private key of the first.
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) if they do not make an authority.
    init(chain: [Certificate], key: SigningKey) throws {
        guard let certificate = chain.first else {
            throw ServingError(.failedPrecondition, "There is no certificate of an authority")
        }
        guard case .isCertificateAuthority? = try? certificate.extensions.basicConstraints,
            (try? certificate.extensions.keyUsage)?.keyCertSign != false
        else {
            throw ServingError(
                .failedPrecondition,
                "'\(printable(certificate.subject.description))' is not an authority: its "
                    + "certificate does not let it sign others")
        }
        guard certificate.publicKey == key.publicKey else {
            throw ServingError(
                .failedPrecondition,
                "The key does not belong to the certificate of "
                    + "'\(printable(certificate.subject.description))': put back the two files "
                    + "that were made together")
        }
        self.certificate = certificate
        self.chain = chain
        self.key = key
    }

    /// Makes an authority that signs itself.
    ///
    /// - Parameters:
    ///   - name: its common name; one with a part of the serial number unless given, so that two
    ///     authorities are never taken for each other.
    ///   - days: how long it is valid.
    ///   - key: its new private key.
    ///   - serial: the serial number of its certificate.
    ///   - now: the date.
    /// - Returns: the authority.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a name or a time that it cannot have.
    static func founded(
        name: String?, days: Int, key: SigningKey, serial: Certificate.SerialNumber, now: Date
    ) throws -> CertificateAuthority {
        let name = name ?? "Martlet authority \(hexadecimal(serial.bytes.prefix(4)))"
        try CertificateProfile.check(commonName: name)
        try CertificateProfile.check(days: days, in: CertificateProfile.daysOfAuthorities)
        let start = now.wholeSeconds.addingTimeInterval(-clockAllowance)
        let subject = try DistinguishedName { CommonName(name) }
        let certificate = try Certificate(
            version: .v3, serialNumber: serial, publicKey: key.publicKey, notValidBefore: start,
            notValidAfter: start.addingTimeInterval(Double(days) * secondsOfADay),
            issuer: subject, subject: subject, signatureAlgorithm: key.signatureAlgorithm,
            extensions: Certificate.Extensions {
                // It signs owners only, no other authorities.
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: key.publicKey)
            },
            issuerPrivateKey: key.certificateKey)
        return try CertificateAuthority(chain: [certificate], key: key)
    }

    /// Signs a certificate.
    ///
    /// - Parameters:
    ///   - profile: what it says.
    ///   - publicKey: the key that it is for.
    ///   - serial: a number that this authority gives once.
    ///   - now: the date.
    /// - Returns: the certificate.
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) when the authority is not valid, or not as
    ///   long as the certificate would be.
    func issue(
        _ profile: CertificateProfile, for publicKey: Certificate.PublicKey,
        serial: Certificate.SerialNumber, now: Date
    ) throws -> Certificate {
        try checkIsValid(at: now)
        let (start, end) = try period(days: profile.days, now: now)
        let usages: [ExtendedKeyUsage.Usage] =
            switch profile.usage {
            case .serverAndClient: [.serverAuth, .clientAuth]
            case .client: [.clientAuth]
            }
        return try Certificate(
            version: .v3, serialNumber: serial, publicKey: publicKey, notValidBefore: start,
            notValidAfter: end, issuer: certificate.subject,
            subject: DistinguishedName { CommonName(profile.commonName) },
            signatureAlgorithm: key.signatureAlgorithm,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage(usages)
                SubjectAlternativeNames(profile.names.map(\.generalName))
                SubjectKeyIdentifier(hash: publicKey)
                authorityKeyIdentifier
            },
            issuerPrivateKey: key.certificateKey)
    }

    /// Whether this authority signed a certificate.
    func signed(_ other: Certificate) -> Bool {
        other.issuer == certificate.subject
            && certificate.publicKey.isValidSignature(other.signature, for: other)
    }

    /// What its certificates say of its key.
    var authorityKeyIdentifier: AuthorityKeyIdentifier {
        let known = try? certificate.extensions.subjectKeyIdentifier
        let identifier = known ?? SubjectKeyIdentifier(hash: certificate.publicKey)
        return AuthorityKeyIdentifier(keyIdentifier: identifier.keyIdentifier)
    }

    /// Refuses to sign before and after the authority's own time.
    ///
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`).
    func checkIsValid(at now: Date) throws {
        let name = printable(certificate.subject.description)
        guard now <= certificate.notValidAfter else {
            throw ServingError(
                .failedPrecondition,
                "The authority '\(name)' expired on \(certificate.notValidAfter.timestamp): make "
                    + "a new one with 'martlet certs init' in another folder, and certificates of "
                    + "it")
        }
        guard now >= certificate.notValidBefore else {
            throw ServingError(
                .failedPrecondition,
                "The authority '\(name)' is not valid before "
                    + "\(certificate.notValidBefore.timestamp), and this machine's clock says "
                    + "\(now.timestamp): set the clock")
        }
    }

    /// When a certificate begins and ends, within the time of the authority.
    private func period(days: Int, now: Date) throws -> (start: Date, end: Date) {
        let start = max(
            now.wholeSeconds.addingTimeInterval(-clockAllowance), certificate.notValidBefore)
        let end = start.addingTimeInterval(Double(days) * secondsOfADay)
        guard end <= certificate.notValidAfter else {
            let left = wholeDays(from: start, to: certificate.notValidAfter)
            let remedy =
                left > 0
                ? "use --days \(left) or fewer, or make a new authority"
                : "make a new authority with 'martlet certs init' in another folder"
            throw ServingError(
                .failedPrecondition,
                "The authority ends on \(certificate.notValidAfter.timestamp), before a "
                    + "certificate of \(days) days would: \(remedy)")
        }
        return (start, end)
    }
}

extension Certificate.SerialNumber {
    /// A number that nobody guesses: 126 random bits, more than the 64 that certificates should
    /// have (RFC 5280, section 4.1.2.2; CA/Browser Forum, Baseline Requirements 7.1).
    static func random(using generator: inout some RandomNumberGenerator) -> Self {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        // Positive, and of the same length always.
        bytes[0] = bytes[0] & 0x3F | 0x40
        return Certificate.SerialNumber(bytes: bytes)
    }

    /// The number as openssl writes it.
    var text: String { hexadecimal(bytes, separator: ":").uppercased() }

    /// Reads a number in hexadecimal, with or without colons.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    init(text: String) throws {
        let digits = text.filter { $0 != ":" }.compactMap(\.hexDigitValue).map(UInt8.init)
        let isWhole = digits.count == text.count { $0 != ":" } && digits.count.isMultiple(of: 2)
        // Twenty bytes are the most that RFC 5280 allows.
        guard isWhole, (2...40).contains(digits.count), digits.contains(where: { $0 != 0 }) else {
            throw ServingError.invalidArgument(
                "'\(printable(text))' is no serial number: write the hexadecimal digits that "
                    + "'martlet certs show --json' shows")
        }
        self.init(
            bytes: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        )
    }
}
