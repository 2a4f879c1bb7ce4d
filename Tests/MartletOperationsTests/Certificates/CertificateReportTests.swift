import Foundation
import MartletCore
import Testing

@testable import MartletOperations

@Suite("Certificate report")
struct CertificateReportTests {
    private let folder: CertificateTestFolder

    init() throws {
        folder = try CertificateTestFolder()
    }

    private func summary(
        _ subject: String = "CN=a", from: Double = -1, to: Double
    ) -> CertificateReport.Item {
        .certificate(
            CertificateSummary(
                subject: subject, names: ["DNS:a", "IP:10.0.0.7"], issuer: "CN=Test", serial: "0A",
                notBefore: noon.addingTimeInterval(days(from)),
                notAfter: noon.addingTimeInterval(days(to)), key: "ECDSA P-256",
                isAuthority: false, fingerprint: "00ff"))
    }

    private func report(
        _ items: [CertificateReport.Item], warnDays: Int = 30
    ) -> CertificateReport {
        CertificateReport(
            items.map { .init(file: "a.pem", item: $0) }, warnDays: warnDays, now: noon)
    }

    @Test(arguments: [
        (-1.0, 31.0, 30, ValidityState.valid), (-1, 30, 30, .valid), (-1, 29.99, 30, .expiring),
        (-1, 0, 30, .expiring), (-1, -0.01, 30, .expired), (0, 40, 30, .valid),
        (0.01, 40, 30, .notYet), (-1, 0.01, 0, .valid), (-1, -0.01, 0, .expired),
    ])
    func state_dependsOnTheDays(from: Double, to: Double, warnDays: Int, state: ValidityState) {
        let report = report([summary(from: from, to: to)], warnDays: warnDays)
        #expect(report.rows.map(report.state) == [state])
        #expect(report.isWell == (state == .valid))
    }

    @Test func one_thatIsExpiring_makesAllUnwell() {
        #expect(report([summary(to: 90), summary(to: 99)]).isWell)
        #expect(!report([summary(to: 90), summary(to: 9)]).isWell)
    }

    @Test func table_hasARowEach() {
        let list = RevocationListSummary(
            issuer: "CN=Test", count: 2, number: 9, thisUpdate: noon,
            nextUpdate: noon.addingTimeInterval(days(90)), fingerprint: "11")
        let report = report([
            summary(to: 396.5), summary("CN=\u{1B}[31m", to: -0.5), .list(list),
        ])
        let rows = report.text().split(separator: "\n").map { line in
            String(line).split(separator: "  ").map { cell in
                String(cell).trimmingCharacters(in: .whitespaces)
            }
        }
        #expect(
            rows == [
                [
                    "FILE", "SUBJECT", "NAMES", "ISSUER", "FROM", "UNTIL", "DAYS", "STATE", "KEY",
                    "SHA-256",
                ],
                [
                    "a.pem", "CN=a", "DNS:a, IP:10.0.0.7", "CN=Test", "2026-11-28", "2027-12-31",
                    "396", "valid", "ECDSA P-256", "00ff",
                ],
                [
                    "a.pem", "CN=\\u{1B}[31m", "DNS:a, IP:10.0.0.7", "CN=Test", "2026-11-28",
                    "2026-11-29", "-1", "expired", "ECDSA P-256", "00ff",
                ],
                [
                    "a.pem", "2 revoked", "-", "CN=Test", "2026-11-29", "2027-02-27", "90",
                    "valid", "-", "11",
                ],
            ])
    }

    @Test func json_hasCertificatesAndLists() throws {
        let authority = folder.authority
        _ = try authority.found(
            name: "Test", days: 100, curve: .p384, replacing: false, now: noon)
        let list = try authority.renewList(days: 9, now: noon)
        let issued = try authority.issue(
            try testNode(["a.example"], days: 40), fileName: nil, replacing: false, now: noon)
        let report = try CertificateReport(
            files: [issued.certificateFile, list.file], warnDays: 60, now: noon)
        let root = try #require(
            try JSONSerialization.jsonObject(with: try report.json()) as? [String: Any])
        let certificates = try #require(root["certificates"] as? [[String: Any]])
        #expect(certificates.map { $0["subject"] as? String } == ["CN=a.example", "CN=Test"])
        #expect(certificates.map { $0["state"] as? String } == ["expiring", "valid"])
        #expect(certificates.map { $0["days_left"] as? Int } == [39, 99])
        #expect(certificates.map { $0["key"] as? String } == ["ECDSA P-256", "ECDSA P-384"])
        #expect(certificates.map { $0["is_authority"] as? Bool } == [false, true])
        #expect(certificates[0]["not_after"] as? String == "2027-01-08T11:55:00Z")
        #expect((certificates[0]["sha256"] as? String)?.count == 64)
        let lists = try #require(root["revocation_lists"] as? [[String: Any]])
        #expect(lists.map { $0["revoked"] as? Int } == [0])
        #expect(!report.isWell)
    }

    @Test func files_thatHoldNone_areTold() throws {
        let key = try folder.write(try signingKey(1).pem, "a.key")
        let error = #expect(throws: ServingError.self) {
            try CertificateReport(files: [key], warnDays: 30, now: noon)
        }
        #expect(error?.message.contains("private key") == true)
        let missing = #expect(throws: ServingError.self) {
            try CertificateReport(files: ["\(folder.path)/none"], warnDays: 30, now: noon)
        }
        #expect(missing?.code == .notFound)
        #expect(throws: ServingError.self) {
            try CertificateReport(files: [], warnDays: -1, now: noon)
        }
    }
}
