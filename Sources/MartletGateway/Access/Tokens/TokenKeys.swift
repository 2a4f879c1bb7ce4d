internal import Foundation
import JWTKit
import MartletCore

/// The public keys of an issuer, ready to verify: what a set of JSON web keys holds (RFC 7517).
///
/// JWTKit makes a key in an actor, and so asynchronously; but what comes out is a value that
/// verifies at once. So a set of keys is made ahead of time, where it is read, and a token is
/// verified on the path of its request without waiting. JWTKit's own collection of keys is not used
/// beyond that: asked for a key that it does not know it takes another.
///
/// A key is good for exactly the algorithms that its type and curve allow, whatever a token says:
/// an RSA key never verifies an HMAC.
struct TokenKeys: Sendable {
    /// The bounds of a set.
    enum Bounds {
        /// Bytes of a set.
        static let bytes = 1 << 20
        /// Keys that are taken of a set.
        static let keys = 64
    }

    /// A key for one algorithm.
    struct Key: Sendable {
        let id: String?
        let algorithm: TokenAlgorithm
        fileprivate let verifier: any JWTAlgorithm

        /// Whether bytes were signed by the owner of this key.
        func verifies(_ signature: [UInt8], of signed: [UInt8]) -> Bool {
            // What cannot be a signature by this algorithm at all is an error there.
            (try? verifier.verify(signature, signs: signed)) ?? false
        }
    }

    private let keys: [Key]
    /// Tells sets apart.
    let fingerprint: SecretDigest

    /// Reads a set.
    ///
    /// Keys of types that are not taken here, for other uses, or with a fault, are left out, as
    /// section 5 of the RFC wants it.
    ///
    /// - Parameter json: the set.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) if it is none, or holds no key that can be
    ///   used.
    init(json: String) async throws {
        guard json.utf8.count <= Bounds.bytes else {
            throw ServingError.invalidArgument(
                "The set of keys is larger than \(Bounds.bytes) bytes")
        }
        let entries: [KeyEntry]
        do {
            entries = try JSONDecoder().decode(KeyList.self, from: Data(json.utf8)).keys
        } catch {
            throw ServingError(
                .invalidArgument, "This is not a set of JSON web keys: write {\"keys\": [...]}",
                cause: error)
        }
        var keys: [Key] = []
        for entry in entries.prefix(Bounds.keys) {
            for algorithm in entry.algorithms {
                guard let verifier = await entry.verifier(for: algorithm) else { continue }
                keys.append(Key(id: entry.id, algorithm: algorithm, verifier: verifier))
            }
        }
        guard !keys.isEmpty else {
            let names = TokenAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw ServingError.invalidArgument("The set holds no public key for one of \(names)")
        }
        self.keys = keys
        fingerprint = SecretDigest(of: json)
    }

    /// How many keys there are, each counted for each of its algorithms.
    var count: Int { keys.count }

    /// The key that may have signed a token; nil if there is none.
    ///
    /// A token that does not name a key can only be of one that is alone for its algorithm: no
    /// token costs more than one verification.
    func key(id: String?, algorithm: TokenAlgorithm) -> Key? {
        let candidates = keys.filter { $0.algorithm == algorithm }
        guard let id else { return candidates.count == 1 ? candidates.first : nil }
        return candidates.first { $0.id == id }
    }
}

/// A set of keys, as it is written.
private struct KeyList: Decodable {
    var keys: [KeyEntry]
}

/// A key, as it is written; without `key` if it is of no type that is known.
private struct KeyEntry: Decodable {
    private let key: JWK?
    private let use: String?
    private let operations: [String]?

    private enum CodingKeys: String, CodingKey {
        case use
        case operations = "key_ops"
    }

    init(from decoder: any Decoder) throws {
        key = try? JWK(from: decoder)
        let container = try? decoder.container(keyedBy: CodingKeys.self)
        use = try? container?.decodeIfPresent(String.self, forKey: .use)
        operations = try? container?.decodeIfPresent([String].self, forKey: .operations)
    }

    var id: String? { key?.keyIdentifier?.string }

    /// The algorithms that the key is good for: the one it names, if its type allows that, or all
    /// that its type allows.
    var algorithms: [TokenAlgorithm] {
        guard let key, use ?? "sig" == "sig", operations?.contains("verify") ?? true else {
            return []
        }
        let possible = KeyEntry.algorithms(of: key)
        guard let named = key.algorithm else { return possible }
        return possible.filter { $0.rawValue == named.rawValue }
    }

    private static func algorithms(of key: JWK) -> [TokenAlgorithm] {
        switch (key.keyType.rawValue, key.curve?.rawValue) {
        case ("RSA", _): [.rs256, .ps256]
        case ("EC", "P-256"): [.es256]
        case ("EC", "P-384"): [.es384]
        case ("OKP", "Ed25519"): [.edDSA]
        default: []
        }
    }

    /// What verifies signatures; nil if the key has a fault.
    ///
    /// The key goes alone into a collection, from which it comes out as an algorithm. Its private
    /// part, should somebody have published it, does not.
    func verifier(for algorithm: TokenAlgorithm) async -> (any JWTAlgorithm)? {
        guard var key, let name = JWK.Algorithm(rawValue: algorithm.rawValue) else { return nil }
        let id = JWKIdentifier(string: "key")
        key.keyIdentifier = id
        key.algorithm = name
        key.privateExponent = nil
        key.prime1 = nil
        key.prime2 = nil
        do {
            let collection = try await JWTKeyCollection().add(jwk: key)
            let verifier = try await collection.getKey(for: id)
            return verifier.name == algorithm.rawValue ? verifier : nil
        } catch {
            return nil
        }
    }
}
