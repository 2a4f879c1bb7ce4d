import Foundation
import Logging
import MartletCore
import MartletTestKit
import NIOSSL
import Synchronization
import Testing

@testable import MartletTransport

@Suite("TLS of listeners", .timeLimit(.minutes(10)))
struct ServerTLSTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
    }

    private func options(
        verifyingClients: Bool = false, protocols: ListenerOptions.Protocols = .any
    ) -> ListenerOptions {
        var options = ListenerOptions()
        options.protocols = protocols
        options.tls = certificates.server
        if verifyingClients {
            options.tls?.clientVerification = .required(
                authorities: .file(certificates.folder("authority.pem")))
        }
        return options
    }

    /// The answer to a request, or nothing when the server would not speak.
    private func ask(_ server: TestServer, _ tls: TLSConfiguration?) async throws -> String {
        let client = try await RawClient.connect(to: server, tls: tls)
        // A client that is turned away may see it before or after it has sent its request.
        try? await client.send(http1("POST /", body: "echo"))
        return await client.readToEnd()
    }

    @Test func http1_isServed() async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            #expect(try await ask(server, try certificates.client()).hasSuffix("echo"))
            let agreed = try certificates.client(protocols: ["http/1.1"])
            #expect(try await ask(server, agreed).hasSuffix("echo"))
        }
    }

    @Test(arguments: [["h2"], ["h2", "http/1.1"], []])
    func grpc_isServedOnTheSamePort(protocols: [String]) async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            let client = try await HTTP2Client.connect(
                to: server, tls: try certificates.client(protocols: protocols))
            let call = try await client.call("/a.B/C")
            try await call.send(message: [1, 2], end: true)
            await call.readToEnd()
            #expect(call.messages == [[1, 2]])
            await client.close()
        }
    }

    @Test(arguments: ["--http1.1", "--http2", "--tlsv1.3", "--tls-max 1.2"])
    func curl_isServed(option: String) async throws {
        try await TestServer.run(options: options(verifyingClients: true)) {
            (server) async throws in
            let arguments = [
                "--silent --fail --noproxy * --cacert authority.pem", option, "--data echo",
                "--cert client.pem --key client.key",
                "--resolve localhost:\(server.listener.port):127.0.0.1",
                "https://localhost:\(server.listener.port)/",
            ]
            #expect(try certificates.run("curl", arguments.joined(separator: " ")) == "echo")
        }
    }

    @Test func pairThatChanges_isUsedByNewConnections_andABrokenOneByNone() throws {
        let log = LineLog()
        let tls = try ReloadingTLS(
            { [server = certificates.server] in server }, protocols: .any, logger: log.logger)
        let first = tls.current.context
        tls.look()
        #expect(tls.current.context === first)
        // The new certificate is there before its key.
        try certificates.run("cp", "server.key old.key")
        try certificates.run("cp", "client.pem server.pem")
        tls.look()
        #expect(tls.current.context === first)
        #expect(log.lines.isEmpty)
        tls.look()
        tls.look()
        #expect(tls.current.context === first)
        #expect(log.lines == ["certificate not read again; the one before stays in use"])
        try certificates.run("cp", "client.key server.key")
        tls.look()
        #expect(tls.current.context !== first)
        #expect(log.lines.last == "certificate read")
        let second = tls.current.context
        try certificates.run("rm", "server.key")
        tls.look()
        tls.look()
        #expect(tls.current.context === second)
        #expect(log.lines.count == 3)
    }

    @Test func clientInTheClear_isTurnedAway() async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            #expect(try await !ask(server, nil).contains("echo"))
            #expect(try await ask(server, try certificates.client()).hasSuffix("echo"))
        }
    }

    @Test func versionBelow12_isTurnedAway() async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            for version in [TLSVersion.tlsv1, .tlsv11, .tlsv12, .tlsv13] {
                var old = try certificates.client()
                old.minimumTLSVersion = .tlsv1
                old.maximumTLSVersion = version
                let answer = try await ask(server, old)
                let isNew = version == .tlsv12 || version == .tlsv13
                #expect(answer.hasSuffix("echo") == isNew, "\(version)")
            }
        }
    }

    @Test func clientWithACertificateOfTheAuthority_isServed() async throws {
        try await TestServer.run(options: options(verifyingClients: true)) {
            (server) async throws in
            #expect(try await ask(server, try certificates.client("client")).hasSuffix("echo"))
        }
    }

    @Test(arguments: [nil, "stranger", "expired"] as [String?])
    func clientWithoutAValidCertificate_isTurnedAway(name: String?) async throws {
        try certificates.sign(
            "expired", extensions: "extendedKeyUsage=clientAuth", options: "-days -1")
        let responder = TestResponder()
        try await TestServer.run(responder, options: options(verifyingClients: true)) {
            (server) async throws in
            for version in [TLSVersion.tlsv12, .tlsv13] {
                var client = try certificates.client(name)
                client.maximumTLSVersion = version
                #expect(try await ask(server, client) == "")
            }
        }
    }

    @Test func peerThatNeverShakesHands_isCutOff() async throws {
        var options = options()
        options.tls?.handshakeTimeout = .milliseconds(50)
        try await TestServer.run(options: options) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            #expect(await client.readToEnd() == "")
        }
    }

    @Test func peerThatIsSlowBehindTheHandshake_isCutOff() async throws {
        var limits = Limits()
        limits.headerTimeout = .milliseconds(100)
        limits.bodyTimeout = .milliseconds(100)
        try await TestServer.run(options: options(), limits: limits) { (server) async throws in
            for start in ["", "POST / HT", http1("POST /", ["Content-Length: 10"]) + "half"] {
                let client = try await RawClient.connect(to: server, tls: try certificates.client())
                // On a busy machine it may have been cut off before it says anything.
                if !start.isEmpty { try? await client.send(start) }
                let answer = await client.readToEnd()
                let isToldWhy = start.hasSuffix("half") && answer.hasPrefix("HTTP/1.1 408")
                #expect(answer.isEmpty || isToldWhy, "\(start)")
            }
        }
    }

    @Test func refusalBehindALargeBody_isReadByTheClient() async throws {
        var limits = Limits.patient
        limits.messageBytes = 1000
        try await TestServer.run(options: options(), limits: limits) { (server) async throws in
            let client = try await RawClient.connect(to: server, tls: try certificates.client())
            try? await client.send(http1("POST /", body: String(repeating: "a", count: 100_000)))
            #expect(await client.readToEnd().hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test func portOfOneProtocol_offersItAlone() async throws {
        try await TestServer.run(options: options(protocols: .http1)) { (server) async throws in
            let client = try certificates.client(protocols: ["h2", "http/1.1"])
            #expect(try await ask(server, client).hasSuffix("echo"))
        }
        try await TestServer.run(options: options(protocols: .grpc)) { (server) async throws in
            let answer = try await ask(server, try certificates.client())
            #expect(answer.hasSuffix("This port speaks gRPC (HTTP/2) only\n"))
        }
    }

    @Test func textInMemory_servesAsAFileDoes() async throws {
        func text(_ name: String) throws -> PEMSource {
            let path = certificates.folder(name)
            return .text(try String(contentsOfFile: path, encoding: .utf8), name: name)
        }
        var options = ListenerOptions()
        options.tls = ServerTLS(
            certificateChain: try text("server.pem"), privateKey: try text("server.key"),
            clientVerification: .required(authorities: try text("authority.pem")))
        try await TestServer.run(options: options) { (server) async throws in
            #expect(try await ask(server, try certificates.client("client")).hasSuffix("echo"))
            #expect(try await ask(server, try certificates.client()) == "")
        }
    }
}

@Suite("Faults of certificates and keys")
struct TLSLoadingTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
    }

    private func fault(_ change: (inout ServerTLS) throws -> Void) throws -> String {
        var tls = certificates.server
        try change(&tls)
        do {
            _ = try tls.load(protocols: .any, logger: TestServer.silent)
            return "none"
        } catch let error as ServingError {
            return error.message
        }
    }

    @Test func absentFile_isNamed() throws {
        let path = certificates.folder("absent.pem")
        #expect(
            try fault { $0.certificateChain = .file(path) }
                == "The certificate file '\(path)' does not exist")
        #expect(
            try fault { $0.privateKey = .file(path) } == "The key file '\(path)' does not exist")
        #expect(
            try fault { $0.clientVerification = .required(authorities: .file(path)) }
                == "The client authority file '\(path)' does not exist")
    }

    @Test func folderForAFile_cannotBeRead() throws {
        let path = certificates.folder.path
        #expect(
            try fault { $0.privateKey = .file(path) } == "The key file '\(path)' cannot be read")
    }

    @Test(arguments: ["", "hello", "\u{0}\u{1}"])
    func textThatIsNotPEM_isToldSo(text: String) throws {
        #expect(
            try fault { $0.certificateChain = .text(text, name: "server_cert") }
                == "The certificate file server_cert is not PEM: it has no line "
                + "'-----BEGIN CERTIFICATE-----'")
        #expect(
            try fault { $0.privateKey = .text(text, name: "server_key") }
                == "The key file server_key is not PEM: it has no line "
                + "'-----BEGIN PRIVATE KEY-----'")
    }

    @Test func brokenContent_isToldSo() throws {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        #expect(
            try fault { $0.certificateChain = .text(certificate, name: "server_cert") }
                == "The certificate file server_cert holds a certificate that is broken")
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
        #expect(
            try fault { $0.privateKey = .text(key, name: "server_key") }
                == "The key file server_key holds a key that is broken or of an unknown kind")
    }

    @Test func encryptedKey_isToldSo() throws {
        try certificates.openssl("ec -in server.key -aes128 -passout pass:bird -out locked.key")
        let path = certificates.folder("locked.key")
        #expect(
            try fault { $0.privateKey = .file(path) }
                == "The key file '\(path)' is encrypted; give the key without a passphrase")
    }

    @Test func keyOfAnotherCertificate_isToldSo() throws {
        try certificates.openssl("genrsa -out rsa.key 2048")
        for name in ["client.key", "rsa.key"] {
            let path = certificates.folder(name)
            #expect(
                try fault { $0.privateKey = .file(path) }
                    == "The key '\(path)' does not belong to the first certificate in "
                    + "'\(certificates.folder("server.pem"))'")
        }
    }

    @Test func expiredCertificate_isAWarningThatNamesTheDay() throws {
        try certificates.sign("server", extensions: "", options: "-days -1")
        let path = certificates.folder("server.pem")
        #expect(try fault { _ in } == "none")
        let chain = try PEM.certificates(in: .file(path), role: "certificate")
        let expiry = try #require(chain.first).notValidAfter
        let source = PEMSource.file(path)
        #expect(
            PEM.warnings(chain, source: source, now: time(nil))
                == ["Certificate 1 in '\(path)' expired on \(HTTPDate.format(Int(expiry)))"])
    }

    @Test func certificateOfTheFuture_isAWarningThatNamesTheDay() throws {
        let path = certificates.folder("server.pem")
        let chain = try PEM.certificates(in: .file(path), role: "certificate")
        let start = try #require(chain.first).notValidBefore
        #expect(PEM.warnings(chain, source: .file(path), now: start).isEmpty)
        #expect(
            PEM.warnings(chain, source: .file(path), now: start - 1)
                == [
                    "Certificate 1 in '\(path)' is not valid before "
                        + HTTPDate.format(Int(start))
                ])
    }
}
