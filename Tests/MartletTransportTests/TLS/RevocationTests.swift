import Foundation
import MartletCore
import NIOSSL
import SwiftASN1
import Testing
import X509

@testable import MartletTransport

@Suite("Revocation of clients' certificates", .timeLimit(.minutes(10)))
struct RevocationTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
        try certificates.sign("revoked", extensions: "extendedKeyUsage=clientAuth")
        try certificates.revoke(["revoked"])
    }

    private func options(
        _ verification: (PEMSource) -> ServerTLS.ClientVerification = {
            .required(authorities: $0)
        }
    ) -> ListenerOptions {
        var options = ListenerOptions()
        options.tls = certificates.server
        options.tls?.clientVerification = verification(.file(certificates.folder("authority.pem")))
        options.tls?.revocationLists = .file(certificates.folder("crl.pem"))
        // Chains are verified by the threads that other tests let wait for openssl.
        options.tls?.handshakeTimeout = .seconds(120)
        return options
    }

    /// Whether a client is served, by every version of TLS.
    private func isServed(_ name: String?, _ server: TestServer) async throws -> Bool {
        var answers: Set<String> = []
        for version in [TLSVersion.tlsv12, .tlsv13] {
            var tls = try certificates.client(name)
            tls.maximumTLSVersion = version
            let client = try await RawClient.connect(to: server, tls: tls)
            try? await client.send(http1("POST /", body: "echo"))
            answers.insert(String(await client.readToEnd().suffix(4)))
        }
        #expect(answers == ["echo"] || answers == [""])
        return answers == ["echo"]
    }

    private func fault(_ change: (inout ServerTLS) throws -> Void) throws -> String {
        var tls = try #require(options().tls)
        try change(&tls)
        do {
            _ = try tls.load(protocols: .any, logger: TestServer.silent)
            return "none"
        } catch let error as ServingError {
            return error.message
        }
    }

    // MARK: Handshakes

    @Test func clientThatIsRevoked_isTurnedAway_andOthersAreServed() async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            #expect(try await isServed("client", server))
            #expect(try await !isServed("revoked", server))
            #expect(try await !isServed("stranger", server))
            #expect(try await !isServed(nil, server))
        }
    }

    @Test func clientWithoutACertificate_isServedWhereItIsOptional() async throws {
        let lists = PEMSource.file(certificates.folder("crl.pem"))
        for lists in [lists, nil] {
            var options = options { .optional(authorities: $0) }
            options.tls?.revocationLists = lists
            try await TestServer.run(options: options) { (server) async throws in
                #expect(try await isServed(nil, server))
                #expect(try await isServed("client", server))
                #expect(try await isServed("revoked", server) == (lists == nil))
                #expect(try await !isServed("stranger", server))
            }
        }
    }

    @Test func clientThatIsRevoked_isToldByAnAlert() async throws {
        try await TestServer.run(options: options()) { (server) async throws in
            try certificates.folder.write(
                "openssl s_client -tls1_2 -connect 127.0.0.1:\(server.listener.port) "
                    + "-CAfile authority.pem -cert revoked.pem -key revoked.key "
                    + "</dev/null 2>&1 || true\n", to: "ask.sh")
            let told = try await certificates.runAside("sh", "ask.sh")
            #expect(told.contains("alert certificate unknown"), "\(told)")
        }
    }

    // MARK: Chains

    private func certificate(_ name: String) throws -> Certificate {
        let text = try String(contentsOfFile: certificates.folder("\(name).pem"), encoding: .utf8)
        return try Certificate(pemEncoded: text)
    }

    private func verdict(
        _ shown: [String], authorities: [String] = ["authority"], lists: [String] = ["crl.pem"]
    ) async throws -> ClientVerifier.Verdict {
        let authorities = try authorities.map(certificate)
        let text = try lists.map {
            try String(contentsOfFile: certificates.folder($0), encoding: .utf8)
        }
        let revoked = try RevokedCertificates(
            .text(text.joined(), name: "lists"), authorities: authorities)
        return await ClientVerifier(authorities: authorities, revoked: revoked)
            .verdict(on: try shown.map(certificate))
    }

    private func signIntermediate(_ name: String, by authority: String = "authority") throws {
        try certificates.sign(
            name, by: authority,
            extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign")
    }

    @Test func chainThroughAnAuthorityThatIsRevoked_isRefused() async throws {
        try signIntermediate("between")
        try certificates.sign("far", by: "between", extensions: "extendedKeyUsage=clientAuth")
        #expect(try await verdict(["far", "between"]) == .trusted)
        #expect(try await verdict(["far"]) == .untrusted)
        #expect(try await verdict(["far"], authorities: ["authority", "between"]) == .trusted)
        try certificates.revoke(["between"])
        let between = try certificate("between")
        #expect(try await verdict(["far", "between"]) == .revoked(between))
        #expect(
            try await verdict(["far"], authorities: ["authority", "between"]) == .revoked(between))
        // What is shown without need counts as well.
        #expect(try await verdict(["client", "between"]) == .revoked(between))
    }

    @Test func listOfAnAuthorityInBetween_countsWhereItIsTrusted() async throws {
        try signIntermediate("between")
        try certificates.sign("far", by: "between", extensions: "")
        try certificates.revoke(["far"], by: "between", to: "between.crl")
        let authorities = ["authority", "between"]
        let lists = ["crl.pem", "between.crl"]
        let far = try certificate("far")
        #expect(
            try await verdict(["far"], authorities: authorities, lists: lists) == .revoked(far))
        #expect(
            try await verdict(["client"], authorities: authorities, lists: lists) == .trusted)
        // An authority in between alone is none, as for the library.
        #expect(
            try await verdict(["far"], authorities: ["between"], lists: ["between.crl"])
                == .untrusted)
    }

    @Test func sameNumberOfAnotherAuthority_isNotRevoked() async throws {
        try certificates.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj /CN=second -keyout second.key -out second.pem")
        let number = try certificate("revoked").serialNumber.bytes
        let text = "0x" + number.map { String(format: "%02x", $0) }.joined()
        try certificates.sign(
            "same", by: "second", extensions: "", options: "-days 2 -set_serial \(text)")
        #expect(try certificate("same").serialNumber == certificate("revoked").serialNumber)
        let authorities = ["authority", "second"]
        #expect(try await verdict(["same"], authorities: authorities) == .trusted)
        #expect(
            try await verdict(["revoked"], authorities: authorities)
                == .revoked(certificate("revoked")))
    }

    @Test(arguments: [
        ("", true), ("extendedKeyUsage=critical,clientAuth", true),
        ("extendedKeyUsage=serverAuth", false), ("extendedKeyUsage=critical,serverAuth", false),
        ("extendedKeyUsage=serverAuth,clientAuth", true),
        ("keyUsage=critical,digitalSignature", true),
        ("subjectAltName=critical,URI:spiffe://martlet/tenant/a", true),
        ("certificatePolicies=critical,1.2.3.4", true), ("1.2.3.4=critical,DER:0500", false),
    ])
    func certificate_isTakenForWhatItIsFor_asTheLibraryDoes(
        extensions: String, isTrusted: Bool
    ) async throws {
        try certificates.sign("one", extensions: extensions)
        #expect(
            try await verdict(["one"]) == (isTrusted ? .trusted : .untrusted), "\(extensions)")
        // The library's word, from the same client at a listener without lists.
        var options = options()
        options.tls?.revocationLists = nil
        try await TestServer.run(options: options) { (server) async throws in
            #expect(try await isServed("one", server) == isTrusted, "\(extensions)")
        }
    }

    /// The test's own client would not show this one.
    @Test func keyThatMayNotSign_isRefused() async throws {
        try certificates.sign("one", extensions: "keyUsage=keyEncipherment")
        #expect(try await verdict(["one"]) == .untrusted)
        try certificates.sign(
            "between", extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature")
        try certificates.sign("far", by: "between", extensions: "")
        #expect(try await verdict(["far", "between"]) == .untrusted)
    }

    @Test func chainsThatLeadNowhere_areRefused() async throws {
        try certificates.sign("expired", extensions: "", options: "-days -1")
        try certificates.sign("child", by: "client", extensions: "")
        try certificates.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj /CN=authority -keyout false.key -out false.pem")
        try certificates.sign("faked", by: "false", extensions: "")
        for shown in [["expired"], ["child", "client"], ["stranger"], ["faked", "false"], []] {
            #expect(try await verdict(shown) == .untrusted, "\(shown)")
        }
    }

    @Test func chainsOfManyCertificates_areRefusedAtOnce() async throws {
        let most = ClientVerifier.shownMax
        let shown = ["client"] + Array(repeating: "server", count: most - 1)
        #expect(try await verdict(shown) == .trusted)
        #expect(try await verdict(shown + ["server"]) == .untrusted)
        // Signers that differ in their alternative names alone would be tried in every order.
        try certificates.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                + "-days 2 -subj /CN=loop -keyout loop.key -out loop.pem")
        let loops = try (0..<most - 1).map { index in
            try certificates.openssl(
                "req -x509 -key loop.key -days 2 -subj /CN=loop -out loop\(index).pem "
                    + "-addext subjectAltName=DNS:\(index)")
            return "loop\(index)"
        }
        try certificates.sign("looped", by: "loop", extensions: "")
        #expect(try await verdict(["looped"] + loops) == .untrusted)
    }
}
