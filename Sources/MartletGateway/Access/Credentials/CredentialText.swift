import MartletConfiguration

/// The texts of the file of credentials: what each means, and what is wrong with one.
enum CredentialText {
    /// The name of a model, or a pattern for names.
    static let model = pattern("a model's name, in which * stands for any letters")
    /// A name in DNS, or a pattern.
    static let dns = pattern(
        "a name in DNS such as *.example.com; * stands for one label or a part of one",
        separator: ".")
    /// A URI, or a pattern.
    static let uri = pattern(
        "a URI such as spiffe://example.com/ns/*; * stands for letters between two slashes",
        separator: "/")
    /// An e-mail address, or a pattern.
    static let email = pattern(
        "an e-mail address such as *@example.com; * stands for letters before or behind the @",
        separator: "@")

    /// The digest of a secret.
    ///
    /// Messages do not show what stands there: it may be the secret.
    static let digest = ConfigurationForm<SecretDigest>(kind: .text(digestText)) {
        value, problems in
        guard let digest = value.text.flatMap(SecretDigest.init(hex:)) else {
            problems.add(
                value, "expected \(digestText.meaning); the key itself must never stand here")
            return nil
        }
        guard !digest.isSame(as: .ofNothing) else {
            problems.add(value, "is the digest of nothing; expected \(digestText.meaning)")
            return nil
        }
        return digest
    }

    private static let digestText = ConfigurationText(
        "the SHA-256 digest of the key in 64 hexadecimal digits", pattern: "^[0-9A-Fa-f]{64}$")

    /// A moment.
    static let timestamp = ConfigurationForm<Timestamp>.text(
        ConfigurationText(
            "a day such as 2027-01-31, or a moment such as 2027-01-31T18:00:00Z",
            pattern: #"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:]{8}([Zz]|[+-][0-9:]{5}))?$"#)
    ) { text in
        Timestamp(text).map { .value($0) } ?? .wrong("is no such day or moment")
    }

    private static func pattern(
        _ meaning: String, separator: Character? = nil
    ) -> ConfigurationForm<GlobPattern> {
        .text(ConfigurationText(meaning), written: { $0.text }) { text in
            if let pattern = GlobPattern(text, separator: separator?.asciiValue) {
                return .value(pattern)
            }
            return .wrong(GlobPattern.fault(of: text) ?? "is no pattern")
        }
    }
}
