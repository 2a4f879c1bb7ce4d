import MartletCore

/// Whether a request may go on.
enum AccessDecision: Sendable {
    /// It may; its lease is to be released when it is over.
    case admitted(AccessGrant)
    /// It may not.
    case refused(AccessRefusal)
}

/// A request that may go on.
struct AccessGrant: Sendable {
    /// Who it is from.
    let identity: AccessIdentity
    /// How much it matters.
    let priority: RequestPriority
    /// What is to be released when it is over.
    let lease: AccessLease
    /// Whether its model is still to be decided on: the head does not name it, and it matters.
    ///
    /// ``AccessControl/admit(model:to:now:)`` decides when the body has named it; until then
    /// nothing of the request may go to a node.
    let awaitsModel: Bool
    /// What is left of the rate of which least is left; nil without any.
    let balance: QuotaBalance?
    /// Whether its answer costs tokens, which are charged in the end.
    var spendsTokens = false

    /// Who the request's credential speaks for.
    var tenant: String { identity.tenant }

    /// Header fields that tell the client what is left.
    var fields: [(name: String, value: String)] { balance?.fields ?? [] }
}

/// The quotas that a request uses, to be released once.
struct AccessLease: Sendable, Hashable {
    /// Where the quotas are.
    let pool: String
    let claims: [QuotaClaim]
}

/// A request that may not go on.
struct AccessRefusal: Sendable {
    /// Why; the raw values are labels of metrics and logs.
    enum Reason: String, Sendable, Hashable, CaseIterable {
        /// It shows no credential.
        case missing
        /// It shows a key or a certificate that is not known, or has expired.
        case credential
        /// It shows a token that is not taken.
        case token
        /// The keys that verify its token cannot be had now.
        case keys
        /// It asks for what the credential does not allow.
        case scope
        /// It asks for a priority that there is not.
        case priority
        /// It is beyond a quota.
        case quota
    }

    let reason: Reason
    /// What the client is told; its code decides the statuses of HTTP and gRPC.
    let error: ServingError
    /// Header fields, or metadata, of the answer.
    let fields: [(name: String, value: String)]

    /// The status over HTTP.
    var httpStatus: Int { error.code.httpStatus }
}

extension AccessRefusal {
    /// No credential is shown (RFC 6750, section 3: then the challenge has no error).
    static let missing = AccessRefusal(
        reason: .missing,
        error: ServingError(
            .unauthenticated,
            "A credential is needed: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"),
        fields: [("www-authenticate", #"Bearer realm="martlet""#)])

    /// A credential is shown that is not good.
    static func credential(_ reason: Reason, _ message: String) -> AccessRefusal {
        let challenge =
            #"Bearer realm="martlet", error="invalid_token", error_description="\#(message)""#
        return AccessRefusal(
            reason: reason, error: ServingError(.unauthenticated, message),
            fields: [("www-authenticate", challenge)])
    }

    /// A token is not taken.
    static func token(_ fault: TokenFault) -> AccessRefusal {
        switch fault {
        case .tooMany(let wait):
            AccessRefusal(
                reason: .quota, error: ServingError(.resourceExhausted, fault.message),
                fields: [retryAfter(wait)])
        case .keysNotRead:
            AccessRefusal(
                reason: .keys, error: ServingError(.unavailable, fault.message),
                fields: [retryAfter(.seconds(1))])
        default: credential(.token, fault.message)
        }
    }

    /// The credential does not allow it.
    static func scope(_ message: String) -> AccessRefusal {
        AccessRefusal(
            reason: .scope, error: ServingError(.permissionDenied, message), fields: [])
    }

    /// The request asks for a priority that there is not.
    static func priority(_ text: String) -> AccessRefusal {
        let names = RequestPriority.allCases.map(\.rawValue).joined(separator: ", ")
        return AccessRefusal(
            reason: .priority,
            error: .invalidArgument(
                "\(AccessRequest.priorityField) is '\(text.prefix(64))'; use one of \(names)"),
            fields: [])
    }

    /// The request is beyond a quota.
    static func quota(_ refusal: QuotaRefusal) -> AccessRefusal {
        let message =
            switch refusal.reason {
            case .rate, .cost: "There are more requests a second than the quota allows"
            case .concurrency: "There are more requests at once than the quota allows"
            case .tokens: "The quota '\(refusal.unit.rawValue)' is used up"
            case .tableFull: "There are more models with quotas in use than are kept"
            }
        let wait = refusal.wait.map(retryAfter)
        return AccessRefusal(
            reason: .quota, error: ServingError(.resourceExhausted, message),
            fields: (wait.map { [$0] } ?? []) + (refusal.balance?.fields ?? []))
    }

    /// Whole seconds, rounded up, at least 1 (RFC 9110, section 10.2.3).
    private static func retryAfter(_ wait: Duration) -> (name: String, value: String) {
        let refusal = QuotaRefusal(reason: .rate, wait: wait, balance: nil)
        return ("retry-after", String(refusal.retryAfterSeconds ?? 1))
    }
}

extension QuotaBalance {
    /// What is left, in the fields that gateways commonly send
    /// (draft-ietf-httpapi-ratelimit-headers, up to its sixth version).
    fileprivate var fields: [(name: String, value: String)] {
        [
            ("ratelimit-limit", String(limit)), ("ratelimit-remaining", String(remaining)),
            ("ratelimit-reset", String(resetSeconds)),
        ]
    }
}
