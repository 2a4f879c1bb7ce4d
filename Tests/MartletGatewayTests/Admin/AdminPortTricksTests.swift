import MartletCore
import MartletTelemetry
import MartletTransport
import Testing

@testable import MartletGateway

/// A request that somebody may try on the admin port, and the status that it deserves.
struct AdminTrick: Sendable, CustomTestStringConvertible {
    let name: String
    let status: Int
    let method: String
    let path: String
    let fields: [String]
    let body: String
    let authority: String?
    let query: String

    /// Its `fields` are lines such as `Host: localhost`; those of a well-meaning client stand before
    /// them unless they begin with the same name.
    init(
        _ name: String, _ status: Int, _ fields: String..., method: String = "POST",
        path: String = "/v1/policy:reload", query: String = "", authority: String? = nil,
        body: String = ""
    ) {
        (self.name, self.status, self.method, self.path) = (name, status, method, path)
        (self.fields, self.body, self.authority, self.query) = (fields, body, authority, query)
    }

    var testDescription: String { name }

    /// The request, with a good host and token where the trick has none of its own.
    func request(token: String?, from address: String = "127.0.0.1:50000") -> HTTPRequest {
        var list = fields.map { line in
            let parts = line.split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: String(parts[1].drop { $0 == " " }))
        }
        let names = list.map { $0.name.lowercased() }
        if authority == nil, !names.contains("host") { list.append(("Host", "127.0.0.1:8081")) }
        if let token, !names.contains("authorization") {
            list.append(("Authorization", "Bearer \(token)"))
        }
        return HTTPRequest(
            method: method, path: path, query: query, authority: authority,
            headers: HeaderFields(list.filter { !$0.value.isEmpty }), body: Array(body.utf8),
            context: RequestContext(remoteAddress: address))
    }
}

@Suite("Tricks on the admin port")
struct AdminPortTricksTests {
    private static let token = "f00dcafe"

    private func refusal(
        of trick: AdminTrick, token: String?, host: String = "127.0.0.1", hosts: [String] = [],
        reads: TrafficPolicy.Admin.Reads? = nil, from address: String = "127.0.0.1:50000"
    ) -> Int? {
        var settings = TrafficPolicy.Admin()
        settings.hosts = hosts
        settings.reads = reads
        return AdminPortAccess(settings, host: host, token: token)
            .refusal(of: trick.request(token: token, from: address))?.status
    }

    // MARK: Whom the request says that it calls, and where it comes from

    static let browsers = [
        AdminTrick("a strange host", 421, "Host: evil.example"),
        AdminTrick(
            "a strange host reads", 421, "Host: evil.example:8081", method: "GET",
            path: "/v1/policy"),
        AdminTrick(
            "HEAD of a strange host", 421, "Host: evil.example", method: "HEAD", path: "/v1/policy"),
        AdminTrick("no host", 421, "Host:", method: "GET", path: "/v1/policy"),
        AdminTrick("two hosts, the good one first", 421, "Host: localhost", "Host: evil.example"),
        AdminTrick("a strange :authority", 421, authority: "evil.example:8081"),
        AdminTrick(
            "a good host beside a strange :authority", 421, "Host: localhost",
            authority: "evil.example"),
        AdminTrick(
            "a strange host beside a good :authority", 421, "Host: evil.example",
            authority: "localhost"),
        AdminTrick("localhost as a label", 421, "Host: localhost.evil.example"),
        AdminTrick("an address as a label", 421, "Host: 127.0.0.1.evil.example"),
        AdminTrick("a name that ends so", 421, "Host: evil-localhost"),
        AdminTrick("user information", 421, "Host: localhost@evil.example"),
        AdminTrick("a strange user", 421, "Host: evil.example@localhost"),
        AdminTrick("a port that is a host", 421, "Host: localhost:evil.example"),
        AdminTrick("two ports", 421, "Host: localhost:8081:80"),
        AdminTrick("a port beyond all", 421, "Host: localhost:65536"),
        AdminTrick("a decimal address", 421, "Host: 2130706433"),
        AdminTrick("an octal address", 421, "Host: 0177.0.0.1"),
        AdminTrick("a hexadecimal address", 421, "Host: 0x7f.0.0.1"),
        AdminTrick("a short address", 421, "Host: 127.1"),
        AdminTrick("the address of all", 421, "Host: 0.0.0.0:8081"),
        AdminTrick("the address of all in IPv6", 421, "Host: [::]:8081"),
        AdminTrick("a mapped address of another", 421, "Host: [::ffff:10.0.0.1]"),
        AdminTrick("a zone in an address", 421, "Host: [::1%25lo]"),
        AdminTrick("an unclosed bracket", 421, "Host: [::1"),
        AdminTrick("a list of hosts", 421, "Host: localhost, evil.example"),
        AdminTrick("a strange origin", 403, "Origin: http://evil.example"),
        AdminTrick(
            "a strange origin reads", 403, "Origin: http://evil.example", method: "GET",
            path: "/v1/policy"),
        AdminTrick(
            "a strange origin reads metrics", 403, "Origin: http://a.b", method: "GET",
            path: "/metrics"),
        AdminTrick("an opaque origin", 403, "Origin: null"),
        AdminTrick("two origins", 403, "Origin: http://127.0.0.1:8081", "Origin: http://a.b"),
        AdminTrick("the origin of another port", 403, "Origin: http://127.0.0.1:3000"),
        AdminTrick("the origin of another scheme", 403, "Origin: https://127.0.0.1:8081"),
        AdminTrick("an origin that begins so", 403, "Origin: http://127.0.0.1:8081.evil.example"),
        AdminTrick("another site", 403, "Sec-Fetch-Site: cross-site"),
        AdminTrick("another port of this host", 403, "Sec-Fetch-Site: same-site"),
        AdminTrick(
            "a link to what is not public", 403, "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", method: "GET",
            path: "/v1/policy"),
        AdminTrick(
            "a frame around metrics", 403, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: iframe", method: "GET", path: "/metrics"),
        AdminTrick("a form", 415, "Content-Type: application/x-www-form-urlencoded", body: "a=b"),
        AdminTrick("a form's text", 415, "Content-Type: text/plain", body: "{}"),
        AdminTrick(
            "a form's text in UTF-8", 415, "Content-Type: Text/Plain; charset=x", body: "{}"),
        AdminTrick(
            "a form of parts", 415, "Content-Type: multipart/form-data; boundary=-", body: "--"),
        AdminTrick(
            "an empty form of the port itself", 415, "Content-Type: text/plain",
            "Origin: http://127.0.0.1:8081"),
    ]

    @Test(arguments: browsers)
    func refusal_whenPageTriesTrick_isGivenThoughTokenIsRight(trick: AdminTrick) {
        #expect(refusal(of: trick, token: Self.token) == trick.status)
        // Without a token in use neither.
        #expect(refusal(of: trick, token: nil) == trick.status)
    }

    // MARK: What the request shows

    static let tokens = [
        AdminTrick("no token", 401, "Authorization:"),
        AdminTrick("an empty token", 401, "Authorization: Bearer"),
        AdminTrick("a beginning of the token", 401, "Authorization: Bearer f00dcaf"),
        AdminTrick("the token and more", 401, "Authorization: Bearer f00dcafe0"),
        AdminTrick("the token in other letters", 401, "Authorization: Bearer F00DCAFE"),
        AdminTrick("the token behind two spaces", 401, "Authorization: Bearer  f00dcafe"),
        AdminTrick("the token before a space", 401, "Authorization: Bearer f00dcafe x"),
        AdminTrick("the token without its scheme", 401, "Authorization: f00dcafe"),
        AdminTrick("another scheme", 401, "Authorization: Basic f00dcafe"),
        AdminTrick("two tokens", 401, "Authorization: Bearer f00dcafe", "authorization: Bearer x"),
        AdminTrick("a list of tokens", 401, "Authorization: Bearer f00dcafe, Bearer f00dcafe"),
        AdminTrick("the token in the query", 401, "Authorization:", query: "token=f00dcafe"),
        AdminTrick("the token as a key", 401, "X-API-Key: f00dcafe", "Authorization:"),
        AdminTrick("the token as a cookie", 401, "Cookie: token=f00dcafe", "Authorization:"),
        AdminTrick("a trusted address", 401, "X-Forwarded-For: 127.0.0.1", "Authorization:"),
        AdminTrick("a method in capitals no more", 401, "Authorization:", method: "post"),
        AdminTrick("PUT", 401, "Authorization:", method: "PUT"),
        AdminTrick(
            "GET for another method", 401, "X-HTTP-Method-Override: GET", "Authorization:",
            method: "POST"),
    ]

    @Test(arguments: tokens)
    func refusal_whenTokenIsNotShown_isGiven(trick: AdminTrick) {
        #expect(refusal(of: trick, token: Self.token) == trick.status)
    }

    @Test(arguments: ["10.0.0.1:80", "[fe80::1]:80", "127.evil.example:1", "unknown", ""])
    func refusal_whenNoTokenIsInUse_isGivenToOtherMachines(address: String) {
        #expect(refusal(of: AdminTrick("", 0), token: nil, from: address) == 403)
        #expect(
            refusal(
                of: AdminTrick("", 0, method: "GET", path: "/v1/policy"), token: nil, from: address)
                == nil)
    }

    @Test(arguments: ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1"])
    func refusal_whenNoTokenIsInUseAndProxyAsks_isGiven(field: String) {
        #expect(refusal(of: AdminTrick("", 0, field), token: nil) == 403)
    }

    // MARK: What has to go through

    static let good = [
        AdminTrick("an address", 0, "Host: 127.0.0.1:8081"),
        AdminTrick("another port, which is forwarded", 0, "Host: 127.0.0.1:9999"),
        AdminTrick("a name in capitals", 0, "Host: LocalHost"),
        AdminTrick("a name with a final dot", 0, "Host: localhost.:8081"),
        AdminTrick("an address of IPv6", 0, "Host: [::1]:8081"),
        AdminTrick("a mapped address", 0, "Host: [::ffff:127.0.0.1]:8081"),
        AdminTrick("by HTTP/2", 0, authority: "localhost:8081"),
        AdminTrick("a listed name", 0, "Host: Gateway.internal:8081"),
        AdminTrick("a scheme in small letters", 0, "Authorization: bearer f00dcafe"),
        AdminTrick(
            "an empty form by a program", 0, "Content-Type: application/x-www-form-urlencoded"),
        AdminTrick("JSON", 0, "Content-Type: application/json", body: "{}"),
        AdminTrick("its own origin", 0, "Origin: http://127.0.0.1:8081"),
        AdminTrick(
            "a browser's address bar", 0, "Sec-Fetch-Site: none", method: "GET", path: "/v1/policy"),
        AdminTrick(
            "a scrape by name", 0, "Host: gw.example:80", "Authorization:", method: "GET",
            path: "/metrics"),
        AdminTrick(
            "a probe by name", 0, "Host: gw", "Authorization:", method: "GET",
            path: "/healthz/ready"),
        AdminTrick("a probe without a host", 0, "Host:", method: "GET", path: "/healthz/live"),
        AdminTrick(
            "a link to metrics", 0, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document", method: "GET", path: "/metrics"),
    ]

    @Test(arguments: good)
    func refusal_whenProgramAsks_isNotGiven(trick: AdminTrick) {
        #expect(refusal(of: trick, token: Self.token, hosts: ["gateway.internal"]) == nil)
    }

    @Test func refusal_beyondLoopback_takesAddressesAndKnownNames() {
        func status(_ host: String, bound: String) -> Int? {
            refusal(
                of: AdminTrick("", 0, "Host: \(host)"), token: Self.token, host: bound,
                hosts: ["gateway.internal"], from: "10.0.0.2:5")
        }
        for bound in ["0.0.0.0", "::", "10.0.0.1", "admin.example"] {
            for host in ["10.0.0.1:8081", "[fd00::1]:8081", "localhost", "gateway.internal"] {
                #expect(status(host, bound: bound) == nil, "\(host) on \(bound)")
            }
            for host in ["evil.example", "167772161", "10.0.0.1.evil.example"] {
                #expect(status(host, bound: bound) == 421, "\(host) on \(bound)")
            }
        }
        #expect(status("Admin.Example:8081", bound: "admin.example") == nil)
    }

    // MARK: Who may read

    @Test(arguments: ["127.0.0.1", "localhost", "::1"])
    func reads_onLoopback_areOpenUnlessTold(host: String) {
        let read = AdminTrick("", 0, "Authorization:", method: "GET", path: "/v1/endpoints")
        #expect(refusal(of: read, token: Self.token, host: host) == nil)
        #expect(refusal(of: read, token: Self.token, host: host, reads: .token) == 401)
    }

    @Test(arguments: ["0.0.0.0", "::", "10.0.0.1"])
    func reads_beyondLoopback_wantTokenUnlessTold(host: String) {
        let read = AdminTrick("", 0, "Authorization:", method: "GET", path: "/v1/endpoints")
        #expect(refusal(of: read, token: Self.token, host: host) == 401)
        #expect(refusal(of: read, token: Self.token, host: host, reads: .open) == nil)
        #expect(refusal(of: read, token: nil, host: host) == nil)
        let shown = AdminTrick("", 0, method: "GET", path: "/v1/endpoints")
        #expect(refusal(of: shown, token: Self.token, host: host) == nil)
        let scrape = AdminTrick("", 0, "Authorization:", method: "GET", path: "/metrics")
        #expect(refusal(of: scrape, token: Self.token, host: host, reads: .token) == nil)
    }

    /// Paths that mean nothing but are like those that do something.
    @Test(arguments: [
        "//v1/policy:reload", "/v1/policy%3Areload", "/v1/./policy:reload",
        "/x/../v1/policy:reload",
        "/V1/policy:reload", "/v1/policy:reload/", "/v1/policy:reload;x", "/v1//policy:reload",
        "v1/policy:reload", "/v1/policy:reload%00", "*", "",
    ])
    func refusal_whenPathIsNearlyPublicOrNot_asksForToken(path: String) {
        #expect(
            refusal(of: AdminTrick("", 0, "Authorization:", method: "POST", path: path), token: "a")
                == 401)
        for open in ["/metrics", "/healthz/live"] {
            let near = AdminTrick("", 0, "Authorization:", method: "GET", path: open + path)
            guard near.path != open else { continue }
            #expect(refusal(of: near, token: "a", reads: .token) == 401, "\(near.path)")
        }
    }
}
