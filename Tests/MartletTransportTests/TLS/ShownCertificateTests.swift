import NIOSSL
import Testing

@testable import MartletTransport

@Suite("Certificates of clients that take up a session")
struct ShownCertificateTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
    }

    @Test func certificate_isGoodUntilTheSecondInWhichItExpires() throws {
        let path = certificates.folder("client.pem")
        let shown = try #require(try NIOSSLCertificate.fromPEMFile(path).first)
        #expect(!shown.hasExpired(at: shown.notValidAfter - 1))
        #expect(shown.hasExpired(at: shown.notValidAfter))
        #expect(shown.hasExpired(at: shown.notValidAfter + 1))
    }

    @Test func listener_looksAtCertificatesAgainWhereItAsksForThem() throws {
        let authorities = PEMSource.file(certificates.folder("authority.pem"))
        for (verification, asks) in [
            (ServerTLS.ClientVerification.off, false),
            (.optional(authorities: authorities), true),
            (.required(authorities: authorities), true),
        ] {
            var tls = certificates.server
            tls.clientVerification = verification
            #expect(try tls.load(protocols: .any, logger: TestServer.silent).asksClients == asks)
        }
    }
}
