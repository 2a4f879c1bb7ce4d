import Foundation
import Logging
import NIOCore
import NIOSSL

/// A client's certificate has expired since it was verified.
struct ExpiredClientCertificate: Error {}

extension LoadedTLS {
    /// Looks at a client's certificate once more when the handshake is over.
    ///
    /// A client that takes up an earlier session shows no certificate: it goes by the one of that
    /// session, which was verified at its beginning and may have expired since (RFC 8446, section
    /// 2.2). What signed the certificate, and what is revoked, belongs to the context, and with it
    /// to the session: see ``makeHandler()``.
    ///
    /// - Throws: ``ExpiredClientCertificate``; the connection is to be closed then, before anything
    ///   that came over it is looked at.
    func checkClient(of channel: any Channel, logger: Logger, now: time_t = time(nil)) throws {
        guard asksClients else { return }
        let handler = try channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        guard let shown = handler.peerCertificate, shown.hasExpired(at: now) else { return }
        logger.notice(
            "client turned away: its certificate has expired since its session began",
            metadata: [
                "peer": "\(channel.remoteAddress?.text ?? "unknown")",
                "expired": "\(HTTPDate.format(Int(shown.notValidAfter)))",
            ])
        throw ExpiredClientCertificate()
    }
}

extension NIOSSLCertificate {
    /// Whether it is no longer good, from the second on at which the library refuses one that is
    /// shown.
    func hasExpired(at now: time_t) -> Bool { notValidAfter <= now }
}
