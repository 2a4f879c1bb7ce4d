import Foundation
import MartletCore
import Testing
import X509

@testable import MartletOperations

@Suite("Authority folder")
struct AuthorityFolderTests {
    private let folder: CertificateTestFolder
    private var authority: AuthorityFolder { folder.authority }

    init() throws {
        folder = try CertificateTestFolder()
    }

    @discardableResult
    private func found(replacing: Bool = false, days: Int = 3650) throws -> AuthorityFolder.Issued {
        try authority.found(
            name: "Test", days: days, curve: .p256, replacing: replacing, now: noon)
    }

    private func issue(
        _ profile: CertificateProfile? = nil, fileName: String? = nil, replacing: Bool = false,
        now: Date = noon
    ) throws -> AuthorityFolder.Issued {
        try authority.issue(
            try profile ?? testNode(), fileName: fileName, replacing: replacing, now: now)
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? Int ?? 0) & 0o777
    }

    @Test func keys_areForTheirOwnerAlone() throws {
        let made = try found()
        #expect(made.certificateFile.hasSuffix("/certs/ca.pem"))
        #expect(try mode("\(folder.path)/certs") == 0o700)
        #expect(try mode(made.keyFile) == 0o600)
        #expect(try mode(try issue().keyFile) == 0o600)
        #expect(authority.warning == nil)
        chmod(made.keyFile, 0o640)
        #expect(authority.warning?.contains("chmod 600") == true)
    }

    @Test func authority_isNotReplacedUnlessForced() throws {
        try found()
        let before = try folder.read("certs/ca.pem")
        let error = #expect(throws: ServingError.self) { try found() }
        #expect(error?.code == .alreadyExists)
        #expect(error?.message.contains("--force") == true)
        #expect(try folder.read("certs/ca.pem") == before)
        _ = try authority.renewList(days: 1, now: noon)
        try found(replacing: true)
        #expect(try folder.read("certs/ca.pem") != before)
        #expect(!CertificateFiles.exists("\(folder.path)/certs/crl.pem"))
        #expect(throws: Never.self) { try issue() }
    }

    @Test func halfAnAuthority_isNotReplacedEither() throws {
        try found()
        try FileManager.default.removeItem(atPath: "\(folder.path)/certs/ca.pem")
        #expect(throws: ServingError.self) { try found() }
    }

    @Test func nothingIsLeftBesideTheFiles() throws {
        try found()
        _ = try issue()
        _ = try authority.renewList(days: 1, now: noon)
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/certs")
        #expect(
            names.sorted() == [
                "ca.key", "ca.pem", "crl.pem", "gateway.example.key", "gateway.example.pem",
            ])
    }

    @Test func certificate_hasTheAuthorityBehindIt_andItsKeyBesideIt() throws {
        let made = try found()
        let issued = try issue()
        let chain = try CertificateFiles.certificates(of: issued.certificateFile)
        #expect(chain.count == 2)
        #expect(chain.last == (try CertificateFiles.certificates(of: made.certificateFile)).first)
        let key = try SigningKey(pem: try folder.read("certs/gateway.example.key"), source: "")
        #expect(chain.first?.publicKey == key.publicKey)
        #expect(try CertificateSummary(chain[0]) == issued.summary)
    }

    @Test func certificate_isRenewedOnlyByForce() throws {
        try found()
        let first = try issue()
        let error = #expect(throws: ServingError.self) { try issue() }
        #expect(error?.code == .alreadyExists)
        #expect(error?.message.contains("--out") == true)
        let second = try issue(replacing: true)
        #expect(second.certificateFile == first.certificateFile)
        #expect(second.summary.serial != first.summary.serial)
    }

    @Test(arguments: ["ca", "crl", "../x", "a/b", ".hidden", "-x", "", "a b"])
    func fileNames_thatWouldDoHarm_areRefused(name: String) throws {
        try found()
        let error = #expect(throws: ServingError.self) { try issue(fileName: name) }
        #expect(error?.code == .invalidArgument)
        #expect(
            error?.message.contains("--out") == true || error?.message.contains("letters") == true)
    }

    @Test func missingAuthority_isToldWithTheRemedy() throws {
        let error = #expect(throws: ServingError.self) { try issue() }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("martlet certs init") == true)
        try found()
        try FileManager.default.removeItem(atPath: "\(folder.path)/certs/ca.key")
        let key = #expect(throws: ServingError.self) { try issue() }
        #expect(key?.message.contains("ca.key") == true)
    }

    @Test(arguments: [
        ("", "no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "broken"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "passphrase"
        ),
        ("-----BEGIN PRIVATE KEY-----\n", "no private key"),
    ])
    func key_thatIsNone_isTold(content: String, message: String) throws {
        try found()
        _ = try folder.write(content, "certs/ca.key")
        let error = #expect(throws: ServingError.self) { try issue() }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func key_ofAnother_isTold() throws {
        try found()
        _ = try folder.write(try signingKey(9).pem, "certs/ca.key")
        let error = #expect(throws: ServingError.self) { try issue() }
        #expect(error?.message.contains("does not belong") == true)
    }

    @Test(arguments: [
        ("hello", "not PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "broken"),
        ("-----BEGIN CERTIFICATE-----\n", "broken"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"),
    ])
    func certificate_thatIsNone_isTold(content: String, message: String) throws {
        try found()
        _ = try folder.write(content, "certs/ca.pem")
        let error = #expect(throws: ServingError.self) { try issue() }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func file_thatIsTooLong_isNotRead() throws {
        let path = try folder.write(String(repeating: "a", count: 1 << 20), "long")
        #expect(try CertificateFiles.text(of: path).utf8.count == 1 << 20)
        _ = try folder.write(String(repeating: "a", count: (1 << 20) + 1), "long")
        let error = #expect(throws: ServingError.self) { try CertificateFiles.text(of: path) }
        #expect(error?.message.contains("more than") == true)
        #expect(throws: ServingError.self) { try CertificateFiles.text(of: folder.path) }
    }
}
