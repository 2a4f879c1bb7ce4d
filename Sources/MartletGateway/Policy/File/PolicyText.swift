import MartletConfiguration

/// The texts of the policy: what each means, and what is wrong with one.
enum PolicyText {
    /// The name of a pool or a route, as metrics and logs show it.
    static let name = form(
        "a name of letters, digits, '.', '-' and '_'", pattern: "^[A-Za-z0-9._-]+$"
    ) { text in
        text.utf8.allSatisfy(isName) ? nil : "has other characters"
    }

    /// What a listener binds to.
    static let listenHost = form(
        "an address such as 127.0.0.1", pattern: #"^[^/\[\] ]+$"#
    ) { text in
        text.utf8.first { "/ []".utf8.contains($0) }
            .map { "contains '\(Character(Unicode.Scalar($0)))'" }
    }

    /// The host of a route: exact, or all below a domain.
    static let hostPattern = form(
        "a host such as api.example.com or *.example.com",
        pattern: #"^(\*\.)?[A-Za-z0-9._:-]+$"#
    ) { text in
        let name = text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
        let isHost = !name.isEmpty && name.utf8.allSatisfy { isName($0) || $0 == 0x3A }
        return isHost ? nil : "is not a host"
    }

    /// A method of HTTP.
    static let method = form("a method such as POST", pattern: "^[A-Z-]+$") { text in
        text.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x2D }
            ? nil : "is not in capital letters"
    }

    /// The name of a header field.
    static let headerName = form(
        "the name of a header field", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        fault: headerNameFault)

    /// The value of a header field.
    static let headerValue = form(
        "a header field's value, without spaces around it", pattern: #"^\S(.*\S)?$"#
    ) { text in
        text.first == " " || text.last == " " ? "has spaces around it" : nil
    }

    /// The path of a request, or how it begins.
    static let path = form("a path such as /v1/models", pattern: "^/[^?#]*$") { text in
        PathPattern.fault(of: text, allowsVariables: false)
    }

    /// The path of a request with variables.
    static let template = form(
        "a path with variables such as /v1/models/{model}:predict", pattern: "^/[^?#]*$"
    ) { text in
        PathPattern.fault(of: text, allowsVariables: true)
    }

    /// The name of a model.
    static let model = form(
        "a model's name, without '/', ':' and '='", pattern: "^[^/:=]+$"
    ) { text in
        nameFault(text)
    }

    /// A model as requests by OpenAI's API name it, also with a version or label, in ASCII: it goes
    /// into bodies and header fields as it is.
    static let requestedModel = form(
        "a model's name in requests, in visible ASCII without '\"' and '\\'",
        pattern: #"^[!#-\[\]-~]+$"#
    ) { text in
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
            ? nil : "has other characters"
    }

    /// The label of a version.
    static let label = form(
        "a label such as stable, without '/', ':' and '=' and not a number",
        pattern: "^(?![0-9]+$)[^/:=]+$"
    ) { text in
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? "is a number" : nameFault(text)
    }

    /// A file, by a path that is relative to that of the policy.
    static let file = form("the path of a file") { _ in nil }

    /// A name that DNS resolves.
    static let dnsName = form(
        "a name such as nodes.example.com", pattern: "^[A-Za-z0-9._-]+$"
    ) { text in
        text.utf8.allSatisfy(isName) && text.utf8.count <= 253 ? nil : "is not a name in DNS"
    }

    /// A URL that is fetched over TLS.
    static let secureURL = form(
        "a URL such as https://login.example.com/keys", pattern: "^https://[^/?#@]+"
    ) { text in
        guard text.hasPrefix("https://") else { return "does not begin with https://" }
        let authority = text.dropFirst("https://".count).prefix { !"/?#".contains($0) }
        return authority.isEmpty || authority.contains("@") ? "has no host" : nil
    }

    /// What is wrong with the name of a header field (RFC 9110, section 5.6.2).
    static func headerNameFault(_ text: String) -> String? {
        let isToken = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        return isToken && !text.isEmpty ? nil : "is not the name of a header field"
    }

    /// What is wrong with a header field to be changed: those that frame messages or belong to one
    /// connection are the transport's own.
    static func changedHeaderFault(_ text: String) -> String? {
        if let fault = headerNameFault(text) { return fault }
        let own = [
            "connection", "content-length", "host", "keep-alive", "proxy-connection", "te",
            "trailer", "transfer-encoding", "upgrade",
        ]
        return own.contains(text.lowercased()) ? "is set by the gateway itself" : nil
    }

    /// What is wrong with a name that stands in paths.
    private static func nameFault(_ text: String) -> String? {
        if text == "." || text == ".." { return "is no name in a path" }
        return text.utf8.contains { "/:=".utf8.contains($0) }
            ? "has one of '/', ':' and '='" : nil
    }

    private static func form(
        _ meaning: String, pattern: String? = nil,
        fault: @escaping @Sendable (String) -> String?
    ) -> ConfigurationForm<String> {
        .text(ConfigurationText(meaning, pattern: pattern), fault: fault)
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }
}
