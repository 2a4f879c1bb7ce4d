/// Keeps web pages away from a port that is for programs, which they reach through the browser of
/// whoever has opened them.
///
/// A page whose name is made to mean the port's address (DNS rebinding) names a strange host; one
/// that sends a request across sites names itself as its origin, or sends no more than a form can.
public struct BrowserGuard: Sendable {
    /// Why a request is refused.
    public struct Refusal: Sendable, Equatable {
        /// The status of the answer: 403, 415 or 421.
        public let status: Int
        /// What is wrong, and what to do about it.
        public let message: String

        /// Creates a refusal.
        public init(status: Int, message: String) {
            self.status = status
            self.message = message
        }
    }

    private let isLoopback: Bool
    private let allowed: Set<String>

    /// Creates a guard.
    ///
    /// - Parameters:
    ///   - host: the address or name that the listener is bound to.
    ///   - hosts: further names and IPv4 addresses that programs may call it by.
    public init(listeningOn host: String, hosts: [String] = []) {
        isLoopback = NamedHost.isLoopback(bound: host)
        allowed = Set(
            (hosts + [host]).compactMap { text in
                switch NamedHost(text) {
                case .name(let name): name
                case .address(let address): address
                case nil: nil
                }
            })
    }

    /// Why a request is refused; nil where it is not.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - isPublic: whether anybody may read what it asks for, by whichever name, and follow a
    ///     link to it.
    /// - Returns: the reason.
    public func refusal(of request: HTTPRequest, isPublic: Bool) -> Refusal? {
        let fields = BrowserFields(request)
        if !isPublic, let refusal = hostRefusal(fields.hosts) { return refusal }
        if let origin = fields.origins.first(where: { !fields.isOwn(origin: $0) }) {
            return Refusal(
                status: 403,
                message: "Web pages may not use this port (origin '\(origin.prefix(64))'); ask it "
                    + "from a program")
        }
        let isLink = isPublic && request.method == "GET" && fields.isNavigation
        if fields.isFromOtherSite, !isLink {
            return Refusal(
                status: 403,
                message: "Web pages of other sites may not use this port (Sec-Fetch-Site); ask it "
                    + "from a program")
        }
        guard request.method == "POST", !request.body.isEmpty || !fields.origins.isEmpty,
            let type = fields.formTypes.first
        else { return nil }
        return Refusal(
            status: 415,
            message: "A body of type '\(type)' is what a form on a web page sends; send none, or "
                + "'Content-Type: application/json'")
    }

    /// Whether what a listener is bound to is of this machine alone.
    public static func isLoopback(_ host: String) -> Bool { NamedHost.isLoopback(bound: host) }

    /// Whether a web page may have sent a request, by a name that it has made to mean this machine
    /// or across sites, for those who serve programs on the machine alone.
    ///
    /// - Parameter headers: the header fields. A request that names no host there came by HTTP/2,
    ///   which browsers speak over TLS alone, and no strange name has our certificate.
    /// - Returns: whether it may.
    public static func mayBeFromPage(_ headers: HeaderFields) -> Bool {
        headers.fields.contains { name, value in
            switch name.lowercased() {
            case "origin", "sec-fetch-site": return true
            case "host":
                if case .name(let name) = NamedHost(value) { return name != "localhost" }
                return NamedHost(value) == nil
            default: return false
            }
        }
    }

    private func hostRefusal(_ hosts: [String]) -> Refusal? {
        guard !hosts.isEmpty else {
            return Refusal(
                status: 421, message: "The request names no host; send it with HTTP/1.1 or newer")
        }
        return hosts.first { !isAllowed($0) }.map { host in
            Refusal(
                status: 421,
                message: "This port is not known as '\(host.prefix(64))'; call it by its address, "
                    + "or list the name in admin.hosts")
        }
    }

    private func isAllowed(_ authority: String) -> Bool {
        guard let host = NamedHost(authority) else { return false }
        if host.isLoopback { return true }
        return switch host {
        // No name server has a say in it.
        case .address(let address): !isLoopback || allowed.contains(address)
        case .name(let name): allowed.contains(name)
        }
    }
}

/// What browsers say of a request.
private struct BrowserFields {
    private(set) var hosts: [String] = []
    private(set) var origins: [String] = []
    /// The types of a body that a page may send without asking first.
    private(set) var formTypes: [String] = []
    private(set) var isFromOtherSite = false
    private var isToNavigate = false
    private var isForDocument = false

    init(_ request: HTTPRequest) {
        hosts = request.authority.map { [$0] } ?? []
        for (name, value) in request.headers.fields {
            switch name.lowercased() {
            case "host": hosts.append(value)
            case "origin": origins.append(value)
            case "content-type": note(type: value)
            // Another port of this host is another program.
            case "sec-fetch-site":
                let isOwn = ["same-origin", "none"].contains(value.lowercased())
                isFromOtherSite = isFromOtherSite || !isOwn
            case "sec-fetch-mode": isToNavigate = value.lowercased() == "navigate"
            case "sec-fetch-dest": isForDocument = value.lowercased() == "document"
            default: break
            }
        }
    }

    /// Whether somebody follows a link, or types the address.
    var isNavigation: Bool { isToNavigate && isForDocument }

    /// Whether an origin is the port itself, by the name that the request calls it.
    func isOwn(origin: String) -> Bool {
        let scheme = "http://"
        guard origin.lowercased().hasPrefix(scheme), let host = hosts.first else { return false }
        return origin.dropFirst(scheme.count).lowercased() == host.lowercased()
    }

    private mutating func note(type value: String) {
        let type = value.prefix { $0 != ";" && $0 != "," }.lowercased()
            .filter { $0 != " " && $0 != "\t" }
        let forms = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
        if forms.contains(type) { formTypes.append(type) }
    }
}
