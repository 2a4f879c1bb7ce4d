internal import Foundation

/// A JSON web token taken apart, of which nothing is verified yet: a signed one in the compact form
/// (RFC 7515, section 7.1).
struct CompactToken: Sendable {
    /// The bounds of tokens.
    enum Bounds {
        /// Bytes of a token.
        static let bytes = 16 << 10
    }

    /// The fields of the header that matter here.
    struct Header: Sendable {
        /// How it is signed, as it says.
        var algorithm: String
        /// Which key signed it.
        var keyID: String?
        /// What it is.
        var type: String?
        /// Whether it has extensions that must be understood (RFC 7515, section 4.1.11).
        var hasCritical: Bool
    }

    let header: Header
    let claims: TokenClaims
    let signature: [UInt8]
    /// What is signed.
    let signed: [UInt8]

    /// Takes a token apart.
    init(_ text: String) throws(TokenFault) {
        guard text.utf8.count <= Bounds.bytes else { throw .malformed }
        let parts = Array(text.utf8).split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw .malformed }
        do {
            let decoder = JSONDecoder()
            self.header = try decoder.decode(Header.self, from: Data(header))
            claims = try decoder.decode(TokenClaims.self, from: Data(payload))
        } catch {
            throw .malformed
        }
        self.signature = signature
        signed = Array(text.utf8.prefix(parts[1].endIndex))
    }

    /// Whether it is meant to open doors: it says so (RFC 9068), or does not say what it is for.
    ///
    /// Others, such as those for logging out, are signed by the same keys (RFC 8725, section 3.11).
    var isAccessToken: Bool {
        guard !header.hasCritical else { return false }
        guard let type = header.type?.lowercased() else { return true }
        let name = type.hasPrefix("application/") ? type.dropFirst("application/".count) : type[...]
        return name == "jwt" || name == "at+jwt"
    }
}

extension CompactToken.Header: Decodable {
    private enum CodingKeys: String, CodingKey {
        case algorithm = "alg"
        case keyID = "kid"
        case type = "typ"
        case critical = "crit"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        algorithm = try container.decode(String.self, forKey: .algorithm)
        keyID = try container.decodeIfPresent(String.self, forKey: .keyID)
        type = try container.decodeIfPresent(String.self, forKey: .type)
        hasCritical = container.contains(.critical)
    }
}
