import Foundation
import MartletCore
import Testing
import X509

@testable import MartletOperations

@Suite("Revocation in a folder")
struct AuthorityRevocationTests {
    private let folder: CertificateTestFolder
    private var authority: AuthorityFolder { folder.authority }

    init() throws {
        folder = try CertificateTestFolder()
        _ = try authority.found(
            name: "Test", days: 3650, curve: .p256, replacing: false, now: noon)
    }

    private func issue(_ name: String) throws -> AuthorityFolder.Issued {
        try authority.issue(
            try .client(name: name, tenant: "t", days: 9, curve: .p256), fileName: nil,
            replacing: false, now: noon)
    }

    private func revoke(
        _ target: RevocationTarget, now: Date = noon
    ) throws -> AuthorityFolder.Revocations {
        try authority.revoke(target, reason: .keyCompromise, days: 90, now: now)
    }

    private func serials() throws -> [String] {
        let document = try #require(try CertificateFiles.documents(of: authority.listFile).first)
        return try CertificateFiles.list(document, path: "").list.entries.map(\.serial.text)
    }

    @Test func revoked_certificatesComeTogetherInTheList() throws {
        let (alice, bob) = (try issue("alice"), try issue("bob"))
        let first = try revoke(.file(alice.certificateFile))
        #expect(first.isNew)
        #expect(first.serial == alice.summary.serial)
        #expect(first.summary.count == 1)
        let second = try revoke(.serial(bob.summary.serial), now: noon.addingTimeInterval(60))
        #expect(second.summary.count == 2)
        #expect(second.summary.number > first.summary.number)
        #expect(try serials() == [alice.summary.serial, bob.summary.serial])
    }

    @Test func revoking_again_changesNoDate() throws {
        let alice = try issue("alice")
        _ = try revoke(.file(alice.certificateFile))
        let again = try revoke(
            .file(alice.certificateFile), now: noon.addingTimeInterval(days(2)))
        #expect(!again.isNew)
        #expect(again.since == noon)
        #expect(again.summary.count == 1)
        #expect(again.text(now: noon).contains("revoked already, on 2026-11-29T12:00:00Z"))
    }

    @Test func renewing_keepsWhatIsRevoked() throws {
        #expect(try authority.renewList(days: 5, now: noon).summary.count == 0)
        let alice = try issue("alice")
        _ = try revoke(.file(alice.certificateFile))
        let renewed = try authority.renewList(days: 5, now: noon.addingTimeInterval(days(1)))
        #expect(renewed.summary.count == 1)
        #expect(renewed.summary.nextUpdate == noon.addingTimeInterval(days(6) - 300))
        #expect(renewed.serial == nil)
    }

    @Test func authority_cannotRevokeItself() {
        let error = #expect(throws: ServingError.self) {
            try revoke(.file("\(folder.path)/certs/ca.pem"))
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("authority itself") == true)
    }

    @Test func certificate_ofAnotherAuthority_isNotRevoked() throws {
        let other = AuthorityFolder(path: "\(folder.path)/other")
        let made = try other.found(
            name: "Test", days: 9, curve: .p256, replacing: false, now: noon)
        let error = #expect(throws: ServingError.self) { try revoke(.file(made.certificateFile)) }
        #expect(error?.message.contains("--dir") == true)
        #expect(!CertificateFiles.exists(authority.listFile))
    }

    @Test func list_ofAnotherAuthority_isNotSignedAsOurs() throws {
        let other = AuthorityFolder(path: "\(folder.path)/other")
        _ = try other.found(name: "Test", days: 9, curve: .p256, replacing: false, now: noon)
        _ = try other.renewList(days: 9, now: noon)
        _ = try folder.write(try folder.read("other/crl.pem"), "certs/crl.pem")
        let error = #expect(throws: ServingError.self) {
            try authority.renewList(days: 9, now: noon)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("not signed") == true)
    }

    @Test(arguments: [
        "", "hello", "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
    ])
    func list_thatIsNone_isLeftAsItIs(content: String) throws {
        _ = try folder.write(content, "certs/crl.pem")
        let error = #expect(throws: ServingError.self) {
            try authority.renewList(days: 9, now: noon)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(try folder.read("certs/crl.pem") == content)
    }

    @Test func expiredAuthority_signsNoList() {
        #expect(throws: ServingError.self) {
            try authority.renewList(days: 9, now: noon.addingTimeInterval(days(3651)))
        }
    }
}
