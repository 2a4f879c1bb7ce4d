import MartletCore

/// A request, as far as access is decided by it.
struct AccessRequest: Sendable {
    /// What it asks for.
    var question: AccessQuestion
    /// The API key or token that it shows; nil without one.
    var secret: String?
    /// The priority that it asks for, as it says.
    var priority: String?
    /// What the client's certificate is for; none if it has shown none that was verified.
    var identities: [CertificateIdentity]
    /// The time since 1970, by the wall clock, which expiry is compared with.
    var unixTime: Duration

    /// The field that holds a request's priority, as nodes know it.
    static let priorityField = "x-martlet-priority"

    /// A request of which all is known.
    init(
        _ question: AccessQuestion, secret: String? = nil, priority: String? = nil,
        identities: [CertificateIdentity] = [], unixTime: Duration
    ) {
        self.question = question
        self.secret = secret
        self.priority = priority
        self.identities = identities
        self.unixTime = unixTime
    }

    /// Reads the head of a request.
    ///
    /// A key is in `x-api-key`, or else, like a token, in `authorization` behind `Bearer`, as
    /// clients of OpenAI's API send it. Metadata of gRPC has the same names.
    ///
    /// - Parameters:
    ///   - isGRPC: whether it is a call by gRPC.
    ///   - method: the method, such as `POST`.
    ///   - path: the raw path, with or without a query.
    ///   - fields: its header fields or metadata.
    ///   - identities: what the client's certificate is for, if TLS has verified one.
    ///   - unixTime: the time since 1970, by the wall clock.
    init(
        isGRPC: Bool, method: String, path: String, fields: some RouteFields,
        identities: [CertificateIdentity] = [], unixTime: Duration
    ) {
        let isPreflight =
            method == "OPTIONS" && fields.first("origin") != nil
            && fields.first("access-control-request-method") != nil
        self.init(
            AccessQuestion(
                isGRPC: isGRPC, method: method, path: path, isPreflight: isPreflight),
            secret: AccessRequest.secret(in: fields),
            priority: fields.first(AccessRequest.priorityField), identities: identities,
            unixTime: unixTime)
    }

    private static func secret(in fields: some RouteFields) -> String? {
        if let key = fields.first("x-api-key") {
            let text = trimmed(key[...])
            if !text.isEmpty { return String(text) }
        }
        guard let field = fields.first("authorization") else { return nil }
        let text = trimmed(field[...])
        guard let space = text.utf8.firstIndex(of: UInt8(ascii: " ")),
            text[..<space].lowercased() == "bearer"
        else { return nil }
        let secret = trimmed(text[space...])
        return secret.isEmpty ? nil : String(secret)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let bytes = text.utf8.drop(while: isSpace)
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return Substring(bytes[...last])
    }
}
