public import Foundation
import MartletCore
import MartletTransport
import SwiftASN1

/// What `martlet certs show` shows: the certificates and revocation lists of files.
public struct CertificateReport: Sendable, Equatable {
    /// The days before an end from which it warns.
    public static let warnDaysRange = 0...3650

    /// What was found in a file.
    enum Item: Sendable, Equatable {
        case certificate(CertificateSummary)
        case list(RevocationListSummary)
    }

    /// One row.
    struct Row: Sendable, Equatable {
        let file: String
        let item: Item
    }

    let rows: [Row]
    let warnDays: Int
    let now: Date

    /// Creates a report of what is known.
    init(_ rows: [Row], warnDays: Int, now: Date) {
        self.rows = rows
        self.warnDays = warnDays
        self.now = now
    }

    /// Reads files.
    ///
    /// - Parameters:
    ///   - files: files in PEM's format; of those with several certificates all are shown.
    ///   - warnDays: the days before an end from which it warns.
    ///   - now: the date.
    /// - Throws: `ServingError` that names the file and what is wrong with it.
    public init(files: [String], warnDays: Int, now: Date) throws {
        guard CertificateReport.warnDaysRange.contains(warnDays) else {
            throw ServingError.invalidArgument(
                "--warn-days is \(warnDays); use 0 to "
                    + "\(CertificateReport.warnDaysRange.upperBound)")
        }
        let rows = try files.flatMap { file in
            try CertificateReport.items(of: file).map { Row(file: file, item: $0) }
        }
        self.init(rows, warnDays: warnDays, now: now)
    }

    private static func items(of file: String) throws -> [Item] {
        let documents = try CertificateFiles.documents(
            of: file, bytesMax: CertificateFiles.listBytesMax)
        let items: [Item] = try documents.compactMap { document in
            switch document.discriminator {
            case "CERTIFICATE":
                let certificate = try CertificateFiles.certificate(document, path: file)
                return .certificate(try CertificateSummary(certificate))
            case SignedRevocationList.discriminator:
                let list = try CertificateFiles.list(document, path: file)
                return .list(RevocationListSummary(list))
            default: return nil
            }
        }
        guard !items.isEmpty else {
            let kinds = documents.map { $0.discriminator.lowercased() }.joined(separator: ", ")
            throw ServingError(
                .failedPrecondition,
                "'\(printable(file))' holds no certificate but: \(printable(kinds))")
        }
        return items
    }

    /// Whether all are valid, and will be beyond the days of warning.
    public var isWell: Bool { rows.allSatisfy { state(of: $0) == .valid } }

    func state(of row: Row) -> ValidityState {
        ValidityState(
            from: row.item.start, to: row.item.end, warnDays: warnDays, now: now)
    }

    // MARK: For people

    /// A table with a row for each.
    public func text(hasColor: Bool = false) -> String {
        var table = TextTable([
            .init("FILE"), .init("SUBJECT"), .init("NAMES"), .init("ISSUER"), .init("FROM"),
            .init("UNTIL"), .init("DAYS", .right), .init("STATE"), .init("KEY"), .init("SHA-256"),
        ])
        for row in rows {
            let state = state(of: row)
            table.append(
                [.init(row.file)] + row.item.names + [
                    .init(row.item.start.day), .init(row.item.end.day),
                    .init("\(wholeDays(from: now, to: row.item.end))"),
                    .init(state.rawValue, state.tone), .init(row.item.key),
                    .init(row.item.fingerprint),
                ])
        }
        return table.text(hasColor: hasColor)
    }
}

extension CertificateReport.Item {
    fileprivate var start: Date {
        switch self {
        case .certificate(let summary): summary.notBefore
        case .list(let summary): summary.thisUpdate
        }
    }

    fileprivate var end: Date {
        switch self {
        case .certificate(let summary): summary.notAfter
        case .list(let summary): summary.nextUpdate
        }
    }

    fileprivate var key: String {
        if case .certificate(let summary) = self { summary.key } else { "-" }
    }

    fileprivate var fingerprint: String {
        switch self {
        case .certificate(let summary): summary.fingerprint
        case .list(let summary): summary.fingerprint
        }
    }

    /// The cells of subject, names and issuer.
    fileprivate var names: [TextTable.Cell] {
        switch self {
        case .certificate(let summary):
            let names = summary.names.isEmpty ? "-" : summary.names.joined(separator: ", ")
            return [.init(summary.subject), .init(names), .init(summary.issuer)]
        case .list(let summary):
            return [.init("\(summary.count) revoked"), "-", .init(summary.issuer)]
        }
    }
}

extension ValidityState {
    fileprivate var tone: TextTable.Tone {
        switch self {
        case .valid: .good
        case .expiring: .pending
        case .expired, .notYet: .bad
        }
    }
}
