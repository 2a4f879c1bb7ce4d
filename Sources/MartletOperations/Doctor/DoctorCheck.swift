/// One thing that `martlet doctor` looked at, and what it makes of it.
public struct DoctorCheck: Sendable, Equatable {
    /// What it makes of it.
    public enum Verdict: String, Sendable, Codable, CaseIterable, Comparable {
        /// As it should be.
        case ok
        /// It works, but not as well as it could.
        case warn
        /// It does not work.
        case fail

        /// In order of how bad they are.
        public static func < (first: Verdict, second: Verdict) -> Bool {
            (allCases.firstIndex(of: first) ?? 0) < (allCases.firstIndex(of: second) ?? 0)
        }
    }

    /// What was looked at, such as `threads`.
    public let name: String
    /// Of what, such as `node-1`.
    public let subject: String
    /// What it makes of it.
    public let verdict: Verdict
    /// What was found.
    public let found: String
    /// What to do; empty where there is nothing to do.
    public let remedy: String

    /// Creates a check that was made.
    public init(
        _ name: String, of subject: String, _ verdict: Verdict, _ found: String,
        remedy: String = ""
    ) {
        self.name = name
        self.subject = subject
        self.verdict = verdict
        self.found = found
        self.remedy = remedy
    }
}
