import Foundation
import MartletCore
import MartletTestKit
import NIOSSL
import SwiftASN1
import Testing
import X509

@testable import MartletTransport

@Suite("Files of revocation lists")
struct RevocationListFileTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
        try certificates.sign("revoked", extensions: "")
        try certificates.revoke(["revoked"])
    }

    private func certificate(_ name: String) throws -> Certificate {
        let text = try String(contentsOfFile: certificates.folder("\(name).pem"), encoding: .utf8)
        return try Certificate(pemEncoded: text)
    }

    private func tls(lists: String = "crl.pem") -> ServerTLS {
        var tls = certificates.server
        tls.clientVerification = .required(authorities: .file(certificates.folder("authority.pem")))
        tls.revocationLists = .file(certificates.folder(lists))
        return tls
    }

    private func fault(lists: String = "crl.pem") -> String {
        do {
            _ = try tls(lists: lists).resolved().load(protocols: .any, logger: TestServer.silent)
            return "none"
        } catch {
            return (error as? ServingError)?.message ?? "\(error)"
        }
    }

    private func list(_ name: String = "crl.pem") throws -> SignedRevocationList {
        let text = try String(contentsOfFile: certificates.folder(name), encoding: .utf8)
        return try SignedRevocationList(bytes: PEMDocument(pemString: text).derBytes)
    }

    @Test(arguments: [1, 2])
    func list_ofOpenSSL_isRead(version: Int) throws {
        try certificates.revoke([], version: version)
        let list = try list()
        let authority = try certificate("authority")
        #expect(list.issuer == authority.subject)
        #expect(list.entries.map(\.serial) == [try certificate("revoked").serialNumber])
        #expect(list.entries.map(\.reasonCode) == [1])
        #expect(list.number == (version == 2 ? 0x11 : nil))
        let seconds = list.nextUpdate?.timeIntervalSince(list.thisUpdate)
        #expect(seconds == 172_800.0)
        #expect(list.isSigned(by: authority))
        #expect(try !list.isSigned(by: certificate("stranger")))
    }

    @Test(arguments: [
        "rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384", "ec -pkeyopt ec_paramgen_curve:P-521",
    ])
    func list_signedByAnyKindOfKey_isBelieved(key: String) throws {
        try certificates.openssl(
            "req -x509 -newkey \(key) -nodes -days 2 -subj /CN=authority -keyout authority.key "
                + "-out authority.pem")
        try certificates.revoke([])
        #expect(try list().isSigned(by: certificate("authority")))
        #expect(fault() == "none")
    }

    @Test func list_signedByAnAuthorityThatMayNot_isNotBelieved() throws {
        try certificates.openssl(
            "req -x509 -key authority.key -days 2 -subj /CN=authority -out authority.pem "
                + "-addext keyUsage=critical,keyCertSign")
        #expect(try !list().isSigned(by: certificate("authority")))
        #expect(try list().isSigned(by: certificate("authority").publicKey))
    }

    @Test func file_mayBeDER() throws {
        try certificates.openssl("crl -in crl.pem -outform der -out crl.der")
        #expect(fault(lists: "crl.der") == "none")
        let resolved = try tls(lists: "crl.der").resolved()
        let revoked = try RevokedCertificates(
            #require(resolved.revocationLists), authorities: [certificate("authority")])
        #expect(try revoked.contains(certificate("revoked")))
        #expect(try !revoked.contains(certificate("client")))
    }

    @Test func listOfSomebodyElse_isAFaultThatNamesTheFile() throws {
        try certificates.revoke([], by: "stranger", to: "strange.crl")
        #expect(
            fault(lists: "strange.crl")
                == "The revocation file '\(certificates.folder("strange.crl"))' holds a list of "
                + "'CN=stranger' that none of the clients' authorities signed")
        // Of the same name, but of another key.
        try certificates.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj /CN=authority -keyout false.key -out false.pem")
        try certificates.revoke([], by: "false", to: "false.crl")
        #expect(fault(lists: "false.crl").hasSuffix("none of the clients' authorities signed"))
    }

    @Test func brokenFiles_areFaultsThatNameThem() throws {
        let place = "The revocation file '\(certificates.folder("odd"))'"
        #expect(fault(lists: "odd") == "\(place) does not exist")
        let whole = try String(contentsOfFile: certificates.folder("crl.pem"), encoding: .utf8)
        let pem = try String(contentsOfFile: certificates.folder("client.pem"), encoding: .utf8)
        let none = "\(place) is neither DER nor PEM: it has no line '-----BEGIN X509 CRL-----'"
        let broken = "\(place) holds a list that is broken, or says what is not known here"
        let texts = [
            "": none, "hello\n": none, pem: none, "0": broken, "0\u{2}AB": broken,
            String(whole.dropLast(40)): broken,
            "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n": broken,
        ]
        for (text, told) in texts {
            try certificates.folder.write(text, to: "odd")
            #expect(fault(lists: "odd") == told, "\(text)")
        }
        try certificates.folder.write(
            String(repeating: " ", count: SignedRevocationList.bytesMax + 1), to: "odd")
        #expect(fault(lists: "odd").hasPrefix("\(place) has more than 16777216 bytes"))
    }

    @Test func listThatSpeaksForAPartAlone_isNotRead() throws {
        try certificates.folder.write(
            "[ca]\ndefault_ca = own\n[own]\ndefault_md = sha256\ndatabase = authority.index\n"
                + "crlnumber = authority.number\ncrl_extensions = extensions\n[extensions]\n"
                + "issuingDistributionPoint = critical, @point\n[point]\nonlyuser = TRUE\n",
            to: "part.ca")
        try certificates.openssl(
            "ca -config part.ca -cert authority.pem -keyfile authority.key -gencrl -crldays 2 "
                + "-out part.crl")
        #expect(fault(lists: "part.crl").contains("says what is not known here"))
    }

    @Test func authorityWithoutAList_isAWarning() throws {
        let authorities = try ["authority", "stranger"].map(certificate)
        let source = PEMSource.file(certificates.folder("crl.pem"))
        #expect(
            try RevokedCertificates(source, authorities: authorities).warnings
                == [
                    "The revocation file \(source) holds no list of 'CN=stranger', whose "
                        + "certificates are good until they expire"
                ])
    }

    // MARK: Reading again

    @Test func listThatChanges_isUsedByNewConnections_andABrokenOneByNone() throws {
        let log = LineLog()
        let tls = try ReloadingTLS({ [tls = tls()] in tls }, protocols: .any, logger: log.logger)
        let first = tls.current.context
        tls.look()
        #expect(tls.current.context === first)
        try certificates.revoke(["client"])
        tls.look()
        let second = tls.current.context
        #expect(second !== first)
        #expect(log.lines == ["certificate read"])
        try certificates.folder.write("nothing", to: "crl.pem")
        tls.look()
        tls.look()
        #expect(tls.current.context === second)
        #expect(log.lines.last == "certificate not read again; the one before stays in use")
    }

    @Test func listPastItsTime_staysInUse_andIsComplainedOfOnceADay() throws {
        let log = LineLog()
        let now = Date()
        let tls = try ReloadingTLS(
            { [tls = tls()] in tls }, protocols: .any, logger: log.logger, now: now)
        let context = tls.current.context
        tls.look(now: now.addingTimeInterval(1.9 * 86_400))
        #expect(log.lines.isEmpty)
        for days in [2.1, 2.2, 3.0, 3.2, 3.3] {
            tls.look(now: now.addingTimeInterval(days * 86_400))
        }
        let complaint =
            "revocation list is past its time; it stays in use, without what was revoked since"
        #expect(log.lines == [complaint, complaint])
        #expect(tls.current.context === context)
        // A new one ends that.
        try certificates.revoke([], options: "-crldays 9")
        tls.look(now: now.addingTimeInterval(4.5 * 86_400))
        #expect(log.lines == [complaint, complaint, "certificate read"])
    }
}
