public import Foundation

/// A certificate as JSON.
private struct CertificateDocument: Encodable {
    let file: String
    let keyFile: String?
    let subject: String
    let names: [String]
    let issuer, serial, notBefore, notAfter: String
    let daysLeft: Int
    let state: String?
    let key: String
    let isAuthority: Bool
    let sha256: String

    init(
        _ summary: CertificateSummary, file: String, keyFile: String? = nil,
        state: ValidityState? = nil, now: Date
    ) {
        self.file = file
        self.keyFile = keyFile
        subject = summary.subject
        names = summary.names
        issuer = summary.issuer
        serial = summary.serial
        notBefore = summary.notBefore.timestamp
        notAfter = summary.notAfter.timestamp
        daysLeft = wholeDays(from: now, to: summary.notAfter)
        self.state = state?.rawValue
        key = summary.key
        isAuthority = summary.isAuthority
        sha256 = summary.fingerprint
    }
}

/// A revocation list as JSON.
private struct ListDocument: Encodable {
    let file, issuer: String
    let revoked, number: Int
    let thisUpdate, nextUpdate: String
    let daysLeft: Int
    let state: String?
    let sha256: String
    var serial: String?
    var since: String?

    init(
        _ summary: RevocationListSummary, file: String, state: ValidityState? = nil, now: Date
    ) {
        self.file = file
        issuer = summary.issuer
        revoked = summary.count
        number = summary.number
        thisUpdate = summary.thisUpdate.timestamp
        nextUpdate = summary.nextUpdate.timestamp
        daysLeft = wholeDays(from: now, to: summary.nextUpdate)
        self.state = state?.rawValue
        sha256 = summary.fingerprint
    }
}

extension CertificateReport {
    private struct Document: Encodable {
        let certificates: [CertificateDocument]
        let revocationLists: [ListDocument]
    }

    /// The report as JSON, with a newline at its end.
    ///
    /// - Throws: what the encoder throws.
    public func json() throws -> Data {
        try encoded(
            Document(
                certificates: rows.compactMap { row in
                    guard case .certificate(let summary) = row.item else { return nil }
                    return CertificateDocument(
                        summary, file: row.file, state: state(of: row), now: now)
                },
                revocationLists: rows.compactMap { row in
                    guard case .list(let summary) = row.item else { return nil }
                    return ListDocument(summary, file: row.file, state: state(of: row), now: now)
                }))
    }
}

extension AuthorityFolder.Issued {
    /// What was made as JSON, with a newline at its end.
    ///
    /// - Throws: what the encoder throws.
    public func json(now: Date) throws -> Data {
        try encoded(
            CertificateDocument(summary, file: certificateFile, keyFile: keyFile, now: now))
    }

    /// What was made as a table.
    ///
    /// - Parameters:
    ///   - certificate: what the file of the certificate is good for.
    ///   - key: what the file of the key is good for.
    ///   - now: the date.
    /// - Returns: a row for each file, below a head.
    public func text(certificate: String, key: String, now: Date) -> String {
        let days = wholeDays(from: now, to: summary.notAfter)
        var table = TextTable([.init("FILE"), .init("HOLDS")])
        table.append([
            .init(certificateFile),
            .init("\(certificate), until \(summary.notAfter.day) (\(days) days)"),
        ])
        table.append([.init(keyFile), .init(key)])
        return table.text()
    }
}

extension AuthorityFolder.Revocations {
    /// What became of the list as JSON, with a newline at its end.
    ///
    /// - Throws: what the encoder throws.
    public func json(now: Date) throws -> Data {
        var document = ListDocument(summary, file: file, now: now)
        document.serial = serial
        document.since = since?.timestamp
        return try encoded(document)
    }

    /// What became of the list in words.
    public func text(now: Date) -> String {
        var lines: [String] = []
        if let serial, let since {
            lines.append(
                isNew
                    ? "Revoked \(serial)."
                    : "\(serial) was revoked already, on \(since.timestamp).")
        }
        let days = wholeDays(from: now, to: summary.nextUpdate)
        lines.append(
            "\(printable(file)): \(summary.count) revoked; renew it before "
                + "\(summary.nextUpdate.day) (\(days) days), with 'martlet certs crl'.")
        return lines.map { $0 + "\n" }.joined()
    }
}

private func encoded(_ document: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(document) + Data("\n".utf8)
}
