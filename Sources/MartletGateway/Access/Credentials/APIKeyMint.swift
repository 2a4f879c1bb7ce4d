public import MartletCore

/// Makes API keys.
///
/// A key is 256 random bits, behind a few letters by which programs that look for leaked secrets
/// find it. Only its user keeps it; the gateway gets its digest.
public struct APIKeyMint: Sendable {
    /// A key that was made.
    public struct Minted: Sendable {
        /// The key, for its user alone.
        public let secret: String
        /// What stands for it under `keys` in the file of credentials.
        public let entry: String
    }

    /// What keys begin with unless something else is asked for.
    public static let standardPrefix = "mk_"

    private let prefix: String

    /// Makes keys that begin so.
    ///
    /// - Parameter prefix: up to 16 letters, digits, `-` and `_`.
    /// - Throws: `INVALID_ARGUMENT` for another.
    public init(prefix: String = APIKeyMint.standardPrefix) throws(ServingError) {
        let isFine = prefix.utf8.allSatisfy { byte in
            Character(Unicode.Scalar(byte)).isLetter && byte < 0x80
                || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
        }
        guard isFine, prefix.utf8.count <= 16 else {
            throw .invalidArgument(
                "The prefix '\(prefix)' is not up to 16 letters, digits, '-' and '_'")
        }
        self.prefix = prefix
    }

    /// Makes a key.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - tenant: whom it speaks for.
    ///   - models: the models it may ask for, by name or pattern; all without any.
    ///   - verbs: what it may ask; all but `admin` without any.
    ///   - expires: the day or moment from which on it is refused; nil for never.
    ///   - generator: where randomness comes from; the system's is fit for secrets.
    /// - Returns: the key and its entry.
    /// - Throws: `INVALID_ARGUMENT` for what the file of credentials does not take.
    public func mint(
        id: String, tenant: String, models: [String] = [], verbs: [String] = [],
        expires: String? = nil, using generator: inout some RandomNumberGenerator
    ) throws(ServingError) -> Minted {
        var bytes: [UInt8] = []
        while bytes.count < 32 {
            let word: UInt64 = generator.next()
            withUnsafeBytes(of: word.bigEndian) { bytes += $0 }
        }
        let secret = prefix + Base64URL.encode(bytes)
        var entry = """
              - id: \(APIKeyMint.quoted(id))
                sha256: \(SecretDigest(of: secret).hex)
                tenant: \(APIKeyMint.quoted(tenant))

            """
        let scope = [("models", models), ("verbs", verbs)].filter { !$0.1.isEmpty }
        if !scope.isEmpty { entry += "    scope:\n" }
        for (key, words) in scope {
            let list = words.map(APIKeyMint.quoted).joined(separator: ", ")
            entry += "      \(key): [\(list)]\n"
        }
        if let expires { entry += "    expires: \(APIKeyMint.quoted(expires))\n" }
        try APIKeyMint.check(entry)
        return Minted(secret: secret, entry: entry)
    }

    /// Whether the reader takes an entry: what it would say of the names in it is said here.
    private static func check(_ entry: String) throws(ServingError) {
        do {
            _ = try Credentials.parse("keys:\n" + entry, file: "key")
        } catch {
            throw ServingError(.invalidArgument, "There is no such key: \(error)")
        }
    }

    /// A text in the quotes of YAML, between which only these two characters mean something else.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
