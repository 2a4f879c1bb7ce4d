/// Which model is asked, and which of its functions.
public struct ModelChoice: Sendable, Equatable {
    /// The model's name.
    public var model: String

    /// The version; `nil` for whichever the server takes.
    public var version: Int64?

    /// The signature; `nil` for the default one.
    public var signature: String?

    /// Creates a choice.
    public init(model: String, version: Int64? = nil, signature: String? = nil) {
        self.model = model
        self.version = version
        self.signature = signature
    }

    /// The path of the model in a REST API.
    ///
    /// - Parameter prefix: what comes first, such as `/v1/models`.
    /// - Returns: the path, its version in it if one was named.
    func path(_ prefix: String) -> String {
        prefix + "/" + ModelChoice.encoded(model) + (version.map { "/versions/\($0)" } ?? "")
    }

    /// A name as a path has it: only what is unreserved stays (RFC 3986).
    private static func encoded(_ name: String) -> String {
        name.utf8.map { byte in
            let isUnreserved =
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "-._~".utf8.contains(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            return isUnreserved
                ? String(UnicodeScalar(byte)) : "%" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }
}
