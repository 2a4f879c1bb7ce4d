import Foundation
import Logging
import MartletCore
import NIOSSL

/// TLS ready to be spoken by a listener.
struct LoadedTLS: Sendable {
    let context: NIOSSLContext
    let handshakeTimeout: Duration
    /// Whether clients are asked for certificates.
    let asksClients: Bool
    /// Verifies clients' certificates where some are revoked; nil to leave that to the context.
    let clients: RevocationHandshake?

    /// What a new connection's bytes go through.
    ///
    /// Sessions are resumed with what this context handed out alone, so who is revoked by newer
    /// lists, and so of another context, shows the certificate again.
    func makeHandler() -> NIOSSLServerHandler {
        guard let clients else { return NIOSSLServerHandler(context: context) }
        return NIOSSLServerHandler(
            context: context, customVerificationCallback: clients.verify(_:promise:))
    }
}

extension ServerTLS {
    /// The same with the contents of its files, under their names.
    ///
    /// - Throws: `ServingError` for a file that cannot be read.
    func resolved() throws -> ServerTLS {
        func text(_ source: PEMSource, _ role: String) throws -> PEMSource {
            .text(try source.load(role), name: "\(source)")
        }
        var resolved = self
        resolved.certificateChain = try text(certificateChain, "certificate file")
        resolved.privateKey = try text(privateKey, "key file")
        if let source = clientVerification.authorities {
            resolved.clientVerification = clientVerification.with(
                authorities: try text(source, "client authority file"))
            resolved.revocationLists = try revocationLists.map {
                .text(try $0.loadLists(), name: "\($0)")
            }
        }
        return resolved
    }

    /// Reads and checks certificates and keys.
    ///
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    func load(protocols: ListenerOptions.Protocols, logger: Logger) throws -> LoadedTLS {
        let chain = try PEM.certificates(in: certificateChain, role: "certificate")
        for warning in PEM.warnings(chain, source: certificateChain, now: time(nil)) {
            logger.warning("\(warning)")
        }
        let key = try PEM.privateKey(in: privateKey)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = minimumVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.curves = TLSConfiguration.groups
        configuration.cipherSuiteValues = TLSConfiguration.forwardSecret
        configuration.applicationProtocols = protocols.applicationProtocols
        let clients = try verifyClients(by: &configuration, logger: logger)
        do {
            let context = try NIOSSLContext(configuration: configuration)
            return LoadedTLS(
                context: context, handshakeTimeout: handshakeTimeout,
                asksClients: clientVerification != .off, clients: clients)
        } catch {
            // Both were read before, so only their fit is left to fail.
            guard case .failedToLoadPrivateKey? = error as? NIOSSLError else {
                throw ServingError(
                    .invalidArgument,
                    "The certificate \(certificateChain) and the key \(privateKey) cannot be used: "
                        + "\(error)", cause: error)
            }
            throw ServingError(
                .invalidArgument,
                "The key \(privateKey) does not belong to the first certificate in "
                    + "\(certificateChain)", cause: error)
        }
    }

    /// Asks clients for certificates where that is wanted.
    ///
    /// - Returns: what verifies them in place of the library; nil if that does.
    private func verifyClients(
        by configuration: inout TLSConfiguration, logger: Logger
    ) throws -> RevocationHandshake? {
        guard let source = clientVerification.authorities else { return nil }
        let authorities = try PEM.certificates(in: source, role: "client authority")
        for warning in PEM.warnings(authorities, source: source, now: time(nil)) {
            logger.warning("\(warning)")
        }
        configuration.trustRoots = .certificates(authorities)
        // Clients have no host name; the chain and the key are verified all the same.
        configuration.certificateVerification =
            if case .optional = clientVerification { .optionalVerification } else {
                .noHostnameVerification
            }
        configuration.sendCANameList = true
        return try revocationLists.map { lists in
            try RevocationHandshake(
                lists: lists, authorities: authorities, source: source, logger: logger)
        }
    }
}

extension TLSConfiguration {
    /// Groups for the exchange of keys, preferred first: the hybrid one, which a quantum computer of
    /// the future does not undo.
    static let groups: [NIOTLSCurve] = [.x25519_MLKEM768, .x25519, .secp256r1, .secp384r1]

    /// The suites of TLS 1.2 with forward secrecy and authenticated encryption alone (RFC 9325,
    /// section 4.2); TLS 1.3 has no others.
    static let forwardSecret: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
}

extension ListenerOptions.Protocols {
    /// What ALPN offers, preferred first (RFC 7301, RFC 9113).
    var applicationProtocols: [String] {
        switch self {
        case .any: ["h2", "http/1.1"]
        case .http1: ["http/1.1"]
        case .grpc: ["h2"]
        }
    }
}

/// Reads the contents of PEM texts.
enum PEM {
    static func certificates(in source: PEMSource, role: String) throws -> [NIOSSLCertificate] {
        let text = try source.load("\(role) file")
        // Looked for first: the library reads nothing out of an empty text by crashing.
        guard text.contains("-----BEGIN CERTIFICATE-----") else {
            throw ServingError.invalidArgument(
                "The \(role) file \(source) is not PEM: it has no line "
                    + "'-----BEGIN CERTIFICATE-----'")
        }
        do {
            let certificates = try NIOSSLCertificate.fromPEMBytes(Array(text.utf8))
            guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
            return certificates
        } catch {
            throw ServingError(
                .invalidArgument, "The \(role) file \(source) holds a certificate that is broken",
                cause: error)
        }
    }

    static func privateKey(in source: PEMSource) throws -> NIOSSLPrivateKey {
        let text = try source.load("key file")
        guard text.contains("PRIVATE KEY-----") else {
            throw ServingError.invalidArgument(
                "The key file \(source) is not PEM: it has no line '-----BEGIN PRIVATE KEY-----'")
        }
        do {
            return try NIOSSLPrivateKey(bytes: Array(text.utf8), format: .pem)
        } catch {
            let isEncrypted = text.contains("ENCRYPTED")
            throw ServingError(
                .invalidArgument,
                isEncrypted
                    ? "The key file \(source) is encrypted; give the key without a passphrase"
                    : "The key file \(source) holds a key that is broken or of an unknown kind",
                cause: error)
        }
    }

    /// What is odd about certificates without making them useless.
    static func warnings(
        _ certificates: [NIOSSLCertificate], source: PEMSource, now: time_t
    ) -> [String] {
        certificates.enumerated().compactMap { index, certificate in
            let which = "Certificate \(index + 1) in \(source)"
            if certificate.notValidAfter < now {
                return "\(which) expired on \(HTTPDate.format(Int(certificate.notValidAfter)))"
            }
            if certificate.notValidBefore > now {
                return
                    "\(which) is not valid before "
                    + HTTPDate.format(Int(certificate.notValidBefore))
            }
            return nil
        }
    }
}
