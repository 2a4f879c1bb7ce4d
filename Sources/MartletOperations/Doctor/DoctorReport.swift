public import Foundation

/// All that `martlet doctor` found.
public struct DoctorReport: Sendable, Equatable {
    /// The checks, in order.
    public var checks: [DoctorCheck]

    /// Creates a report.
    public init(_ checks: [DoctorCheck] = []) {
        self.checks = checks
    }

    /// The worst verdict.
    public var verdict: DoctorCheck.Verdict { checks.map(\.verdict).max() ?? .ok }

    /// Whether all is well; a warning is as bad as a failure if one is strict.
    public func isWell(isStrict: Bool) -> Bool { isStrict ? verdict == .ok : verdict != .fail }

    /// How many checks have a verdict.
    public func count(of verdict: DoctorCheck.Verdict) -> Int {
        checks.count { $0.verdict == verdict }
    }

    // MARK: For people

    /// A table of the checks, and below it what to do.
    public func text(hasColor: Bool = false) -> String {
        var table = TextTable([.init("CHECK"), .init("OF"), .init("RESULT"), .init("FOUND")])
        for check in checks {
            table.append([
                .init(check.name), .init(check.subject),
                .init(check.verdict.rawValue, check.verdict.tone), .init(check.found),
            ])
        }
        var remedies = TextTable([.init("TO DO"), .init("OF"), .init("REMEDY")])
        let open = checks.filter { !$0.remedy.isEmpty && $0.verdict != .ok }
        for check in open {
            remedies.append([
                .init(check.name, check.verdict.tone), .init(check.subject), .init(check.remedy),
            ])
        }
        let below = open.isEmpty ? "" : "\n" + remedies.text(hasColor: hasColor)
        return table.text(hasColor: hasColor) + below + "\n" + summary + "\n"
    }

    private var summary: String {
        DoctorCheck.Verdict.allCases.map { "\(count(of: $0)) \($0.rawValue)" }
            .joined(separator: ", ")
    }

    // MARK: For programs

    private struct Document: Encodable {
        struct Check: Encodable {
            let check: String
            let of: String
            let result: DoctorCheck.Verdict
            let found: String
            let remedy: String
        }

        let result: DoctorCheck.Verdict
        let checks: [Check]
    }

    /// The report as JSON.
    ///
    /// - Throws: what the encoder throws.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(
            Document(
                result: verdict,
                checks: checks.map {
                    .init(
                        check: $0.name, of: $0.subject, result: $0.verdict, found: $0.found,
                        remedy: $0.verdict == .ok ? "" : $0.remedy)
                }))
    }
}

extension DoctorCheck.Verdict {
    fileprivate var tone: TextTable.Tone {
        switch self {
        case .ok: .good
        case .warn: .pending
        case .fail: .bad
        }
    }
}
