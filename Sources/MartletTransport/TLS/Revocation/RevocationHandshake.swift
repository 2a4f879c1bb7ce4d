import Foundation
import Logging
import MartletCore
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Verifies the certificates of clients inside the handshakes of a listener that has lists of
/// revoked ones.
///
/// Who is refused is told so by an alert of TLS, `certificate_unknown`: the library sends no other.
struct RevocationHandshake: Sendable {
    /// When the first of the lists is to be renewed.
    let renewal: Date?
    private let verifier: ClientVerifier
    private let logger: Logger

    /// Reads lists.
    ///
    /// - Parameters:
    ///   - lists: where the lists are.
    ///   - authorities: those that sign clients' certificates.
    ///   - source: where these are.
    ///   - logger: reports what is odd, and who is refused.
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    init(
        lists: PEMSource, authorities: [NIOSSLCertificate], source: PEMSource, logger: Logger
    ) throws {
        let authorities = try RevocationHandshake.certificates(authorities) { error in
            ServingError(
                .invalidArgument,
                "The client authority file \(source) holds a certificate with a kind of key that "
                    + "cannot be used beside a revocation file", cause: error)
        }
        let revoked = try RevokedCertificates(lists, authorities: authorities)
        for warning in revoked.warnings { logger.warning("\(warning)") }
        renewal = revoked.renewal
        verifier = ClientVerifier(authorities: authorities, revoked: revoked)
        self.logger = logger
    }

    /// Decides on what a client shows.
    func verify(
        _ shown: [NIOSSLCertificate], promise: EventLoopPromise<NIOSSLVerificationResult>
    ) {
        // The handshake owns this work: it waits for the promise, and is bounded by its own limit
        // of time as the work is by the number of certificates.
        promise.completeWithTask {
            let chain = try RevocationHandshake.certificates(shown) { $0 }
            switch await verifier.verdict(on: chain) {
            case .trusted: return .certificateVerified
            case .untrusted: return .failed
            case .revoked(let certificate):
                logger.notice(
                    "client turned away: its certificate is revoked",
                    metadata: [
                        "issuer": "\(certificate.issuer)", "serial": "\(certificate.serialNumber)",
                    ])
                return .failed
            }
        }
    }

    private static func certificates(
        _ certificates: [NIOSSLCertificate], failure: (any Error) -> any Error
    ) throws -> [Certificate] {
        do {
            return try certificates.map { try Certificate(derEncoded: $0.toDERBytes()) }
        } catch {
            throw failure(error)
        }
    }
}
