/// Why a token is not taken.
///
/// Messages are fixed sentences: nothing that a client sent comes back in them.
enum TokenFault: Error, Sendable, Hashable {
    /// It is no token in the compact form, or has no claims.
    case malformed
    /// It is for something else, or asks for what is not understood here.
    case kind
    /// It is signed in a way that its issuer's tokens may not be, or not at all.
    case algorithm
    case issuer
    case audience
    case noExpiry
    case expired
    case notYetValid
    /// It lacks the tenant, or that is no name.
    case tenant
    /// No key that is known now can have signed it; a newer set of keys may have one.
    case unknownKey(issuer: String)
    /// The issuer's keys have not been read yet.
    case keysNotRead(issuer: String)
    case signature
    /// More tokens than may be verified in a second came before it.
    case tooMany(wait: Duration)

    /// A sentence for the person who has to act on it.
    var message: String {
        switch self {
        case .malformed: "The token is not a JSON web token with claims"
        case .kind: "The token is not an access token, or has critical extensions"
        case .algorithm: "The token is signed by an algorithm that is not taken here"
        case .issuer: "The token is of an issuer that is not known here"
        case .audience: "The token is for another audience"
        case .noExpiry: "The token does not say when it expires"
        case .expired: "The token has expired"
        case .notYetValid: "The token is not valid yet"
        case .tenant: "The token does not name a tenant"
        case .unknownKey: "The token is signed by a key that is not known here"
        case .keysNotRead: "The keys of the token's issuer have not been read yet"
        case .signature: "The token's signature is wrong"
        case .tooMany: "Too many new tokens come at once"
        }
    }

    /// The issuer whose keys, read again, might change it.
    var asksForKeysOf: String? {
        switch self {
        case .unknownKey(let issuer), .keysNotRead(let issuer): issuer
        default: nil
        }
    }
}
