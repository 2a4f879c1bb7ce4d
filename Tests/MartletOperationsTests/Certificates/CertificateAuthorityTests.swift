import Foundation
import MartletCore
import MartletTestKit
import Testing
import X509

@testable import MartletOperations

@Suite("Certificate authority")
struct CertificateAuthorityTests {
    private func issue(
        _ authority: CertificateAuthority, _ profile: CertificateProfile, key: UInt8 = 2,
        now: Date = noon
    ) throws -> Certificate {
        try authority.issue(
            profile, for: try signingKey(key).publicKey, serial: Certificate.SerialNumber(7),
            now: now)
    }

    @Test(arguments: KeyCurve.allCases)
    func authority_signsItself_andNothingButOwnersAndLists(curve: KeyCurve) throws {
        let authority = try testAuthority(curve: curve)
        let certificate = authority.certificate
        #expect(authority.signed(certificate))
        #expect(certificate.subject.description == "CN=Test")
        #expect(
            try certificate.extensions.basicConstraints == .isCertificateAuthority(maxPathLength: 0)
        )
        #expect(
            try certificate.extensions.keyUsage == KeyUsage(keyCertSign: true, cRLSign: true))
        #expect(certificate.notValidBefore == noon.addingTimeInterval(-300))
        #expect(certificate.notValidAfter == noon.addingTimeInterval(days(3650) - 300))
    }

    @Test func authority_withoutAName_isNamedAfterItsNumber() throws {
        let authority = try testAuthority(nil)
        #expect(authority.certificate.subject.description == "CN=Martlet authority 4a1b2c3d")
    }

    @Test(arguments: [0, 7301])
    func authority_ofTooFewOrManyDays_isRefused(days: Int) {
        #expect(throws: ServingError.self) { try testAuthority(days: days) }
    }

    @Test func node_isAServerAndAClient_ofItsHosts() throws {
        let authority = try testAuthority()
        let certificate = try issue(authority, try testNode(["a.example", "::1"]))
        #expect(authority.signed(certificate))
        #expect(
            try certificate.extensions.extendedKeyUsage
                == ExtendedKeyUsage([.serverAuth, .clientAuth]))
        #expect(
            try certificate.extensions.subjectAlternativeNames?.map(SubjectName.text)
                == ["DNS:a.example", "IP:::1"])
        #expect(try certificate.extensions.basicConstraints == .notCertificateAuthority)
        #expect(try certificate.extensions.keyUsage == KeyUsage(digitalSignature: true))
        #expect(certificate.publicKey == (try signingKey(2)).publicKey)
        #expect(
            try certificate.extensions.authorityKeyIdentifier?.keyIdentifier
                == authority.certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
        let critical = certificate.extensions.filter(\.critical).count
        #expect(critical == 2)
    }

    @Test func client_isAClientAlone() throws {
        let profile = try CertificateProfile.client(
            name: "alice", tenant: "team-a", days: 90, curve: .p384)
        let certificate = try issue(try testAuthority(), profile)
        #expect(try certificate.extensions.extendedKeyUsage == ExtendedKeyUsage([.clientAuth]))
        #expect(
            try certificate.extensions.subjectAlternativeNames?.map(SubjectName.text)
                == ["URI:spiffe://martlet/tenant/team-a"])
        #expect(certificate.subject.description == "CN=alice")
    }

    @Test func certificate_beginsNotBeforeItsAuthority() throws {
        let authority = try testAuthority(now: noon.addingTimeInterval(-200))
        let certificate = try issue(authority, try testNode(days: 10))
        #expect(certificate.notValidBefore == noon.addingTimeInterval(-300))
        let young = try issue(
            authority, try testNode(days: 10), now: noon.addingTimeInterval(-400))
        #expect(young.notValidBefore == noon.addingTimeInterval(-500))
    }

    @Test func certificate_thatWouldOutliveItsAuthority_isRefusedWithTheDaysThatAreLeft() throws {
        let authority = try testAuthority(days: 100)
        let certificate = try issue(authority, try testNode(days: 100))
        #expect(certificate.notValidAfter == authority.certificate.notValidAfter)
        let late = noon.addingTimeInterval(days(40) + 1)
        let error = #expect(throws: ServingError.self) {
            try issue(authority, try testNode(days: 60), now: late)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("--days 59") == true)
        #expect(throws: Never.self) { try issue(authority, try testNode(days: 59), now: late) }
        let last = #expect(throws: ServingError.self) {
            try issue(authority, try testNode(days: 1), now: noon.addingTimeInterval(days(99.5)))
        }
        #expect(last?.message.contains("martlet certs init") == true)
    }

    @Test func authority_signsOnlyInItsTime() throws {
        let authority = try testAuthority(days: 10)
        let end = authority.certificate.notValidAfter
        #expect(throws: Never.self) { try authority.checkIsValid(at: end) }
        let expired = #expect(throws: ServingError.self) {
            try issue(authority, try testNode(days: 1), now: end.addingTimeInterval(1))
        }
        #expect(expired?.message.contains("expired on 2026-12-09T11:55:00Z") == true)
        let early = #expect(throws: ServingError.self) {
            try issue(authority, try testNode(days: 1), now: noon.addingTimeInterval(-301))
        }
        #expect(early?.message.contains("set the clock") == true)
    }

    @Test func authority_needsItsOwnKey_andACertificateThatMaySign() throws {
        let authority = try testAuthority()
        let key = #expect(throws: ServingError.self) {
            try CertificateAuthority(chain: authority.chain, key: try signingKey(2))
        }
        #expect(key?.message.contains("does not belong") == true)
        let leaf = try issue(authority, try testNode())
        let owner = #expect(throws: ServingError.self) {
            try CertificateAuthority(chain: [leaf], key: try signingKey(2))
        }
        #expect(owner?.message.contains("not an authority") == true)
        #expect(throws: ServingError.self) {
            try CertificateAuthority(chain: [], key: try signingKey(2))
        }
    }

    @Test func authority_ofTheSameName_isAnother() throws {
        let other = try testAuthority(key: 9)
        let leaf = try issue(other, try testNode())
        #expect(other.signed(leaf))
        #expect(try !testAuthority().signed(leaf))
    }

    @Test func serialNumbers_arePositive_of16Bytes_andDiffer() {
        var generator = SeededGenerator(seed: 1)
        let numbers = (0..<1000).map { _ in Certificate.SerialNumber.random(using: &generator) }
        #expect(Set(numbers).count == 1000)
        #expect(numbers.allSatisfy { $0.bytes.count == 16 })
        #expect(numbers.allSatisfy { (0x40...0x7F).contains($0.bytes.first ?? 0) })
        #expect(Set(numbers.compactMap(\.bytes.first)).count == 64)
    }

    @Test func serialNumbers_areReadAsTheyAreShown() throws {
        var generator = SeededGenerator(seed: 2)
        let number = Certificate.SerialNumber.random(using: &generator)
        #expect(try Certificate.SerialNumber(text: number.text) == number)
        #expect(try Certificate.SerialNumber(text: "0aFF").text == "0A:FF")
        for text in ["", "0", "xyz", "0A:F", "00:00", String(repeating: "a", count: 42), "0A FF"] {
            #expect(throws: ServingError.self) { try Certificate.SerialNumber(text: text) }
        }
    }

    @Test(arguments: KeyCurve.allCases)
    func keys_areReadAsTheyAreWritten(curve: KeyCurve) throws {
        let key = try signingKey(5, curve)
        #expect(key.pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(key.pem.hasSuffix("-----END PRIVATE KEY-----\n"))
        #expect(try SigningKey(pem: key.pem, source: "f").publicKey == key.publicKey)
    }
}
