import NIOCore
import NIOSSL
import SwiftASN1
import X509

extension Channel {
    /// Whether its bytes go through TLS.
    ///
    /// TLS reads into the same memory again and again: 32 KB, or up to twice as much as ever came
    /// at once. While anybody keeps a part of it, the next read begins with a copy of all of it. So
    /// what may be kept is copied before, which is less.
    var isEncrypted: Bool {
        (try? pipeline.syncOperations.handler(type: NIOSSLHandler.self)) != nil
    }
}

extension ClientName {
    /// What the certificate is for that the client of a connection has shown, if TLS has verified
    /// one.
    static func names(of channel: any Channel) -> [ClientName] {
        let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        guard let shown = handler?.peerCertificate, let bytes = try? shown.toDERBytes(),
            let certificate = try? Certificate(derEncoded: bytes),
            let names = try? certificate.extensions.subjectAlternativeNames
        else { return [] }
        return names.compactMap { name in
            switch name {
            case .uniformResourceIdentifier(let uri): .uri(uri)
            case .dnsName(let name): .dns(name)
            case .rfc822Name(let address): .email(address)
            default: nil
            }
        }
    }
}
