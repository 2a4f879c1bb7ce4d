import CryptoExtras
import Foundation
import JWTKit

@testable import MartletGateway

/// An issuer of tokens with real keys, made anew in each run of the tests.
struct TestIssuer {
    /// The time that tests begin at.
    static let start = Duration.seconds(1_800_000_000)
    static let name = "https://login.example.com"

    /// Making one takes long; all tests share it.
    private static let madeRSA = Result {
        try JWTKit.Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
    }

    let es256 = ES256PrivateKey()
    let es384 = ES384PrivateKey()
    let edDSA: EdDSA.PrivateKey
    let rsa: JWTKit.Insecure.RSA.PrivateKey
    private var signers: [String: any JWTAlgorithm] = [:]

    init() async throws {
        edDSA = try EdDSA.PrivateKey()
        rsa = try TestIssuer.madeRSA.get()
        signers["ES256"] = try await JWTKeyCollection().add(ecdsa: es256).getKey()
        signers["ES384"] = try await JWTKeyCollection().add(ecdsa: es384).getKey()
        signers["EdDSA"] = try await JWTKeyCollection().add(eddsa: edDSA).getKey()
        signers["RS256"] = try await JWTKeyCollection()
            .add(rsa: rsa, digestAlgorithm: .sha256).getKey()
        signers["PS256"] = try await JWTKeyCollection()
            .add(pss: rsa, digestAlgorithm: .sha256).getKey()
        // Whoever takes a public key for a secret one verifies this.
        signers["HS256"] = try await JWTKeyCollection()
            .add(hmac: HMACKey(from: rsa.publicKey.pemRepresentation), digestAlgorithm: .sha256)
            .getKey()
        signers["none"] = try await JWTKeyCollection().addUnsecuredNone().getKey()
    }

    /// The public keys, each with its ID: the algorithm, or `RSA` for two of them.
    var keyEntries: [String: String] {
        get throws {
            let rsaNumbers = try rsa.publicKey.getKeyPrimitives()
            return [
                "ES256": Self.entry("ES256", "P-256", es256.parameters),
                "ES384": Self.entry("ES384", "P-384", es384.parameters),
                "EdDSA": """
                {"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": \
                "\(Base64URL.encode(edDSA.publicKey.rawRepresentation))"}
                """,
                "RSA": """
                {"kty": "RSA", "kid": "RSA", "use": "sig", "n": \
                "\(Base64URL.encode(rsaNumbers.modulus))", "e": \
                "\(Base64URL.encode(rsaNumbers.publicExponent))"}
                """,
            ]
        }
    }

    /// A set of all public keys, or of some.
    func set(_ names: [String]? = nil) throws -> String {
        let entries = try keyEntries
        let chosen = (names ?? entries.keys.sorted()).compactMap { entries[$0] }
        return "{\"keys\": [\(chosen.joined(separator: ", "))]}"
    }

    /// A token with these claims, in JSON, signed in a way that its header may lie about.
    func token(
        _ algorithm: String = "ES256", kid: String? = "ES256", claims: String = "",
        header: String? = nil
    ) throws -> String {
        let id = kid.map { ", \"kid\": \"\($0)\"" } ?? ""
        let header = header ?? "{\"alg\": \"\(algorithm)\", \"typ\": \"JWT\"\(id)}"
        let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.utf8)
        let signature = try signers[algorithm]?.sign(Array(signed.utf8)) ?? []
        return signed + "." + Base64URL.encode(signature)
    }

    /// Claims that are good for an hour from the start, with more of them or others.
    static func claims(_ others: String...) -> String {
        var claims = [
            "iss": "\"\(name)\"", "aud": "\"martlet\"", "sub": "\"alice\"",
            "exp": "\(1_800_000_000 + 3600)",
        ]
        for other in others {
            let parts = other.split(separator: "=", maxSplits: 1).map(String.init)
            claims[parts[0]] = parts.count == 2 ? parts[1] : nil
        }
        return "{\(claims.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", "))}"
    }

    private static func entry(_ id: String, _ curve: String, _ point: ECDSAParameters?) -> String {
        func url(_ text: String?) -> String {
            (text ?? "").replacing("+", with: "-").replacing("/", with: "_")
                .replacing("=", with: "")
        }
        return """
            {"kty": "EC", "crv": "\(curve)", "kid": "\(id)", "x": "\(url(point?.x))", \
            "y": "\(url(point?.y))"}
            """
    }
}

/// The issuer of the tests as a file of credentials names it.
func issuerSettings(_ more: String = "") -> String {
    """
    issuers:
      - name: login
        issuer: \(TestIssuer.name)
        audiences: [martlet, other]
        jwks_url: https://login.example.com/keys
    \(more)
    """
}

/// Reads credentials as if every file in them were there, but for those called missing.
func readCredentials(_ text: String) throws -> Credentials {
    try Credentials.parse(text, file: "/etc/martlet/credentials.yaml") {
        !$0.hasSuffix("missing")
    }
}
