import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/1.1 requests as they are forwarded")
struct HTTP1WireTests {
    /// What an upstream gets of a request's head, line by line.
    private func forwarded(
        _ lines: String..., method: String = "POST", target: String = "/a?b",
        version: String = "1.1",
        client: String? = nil
    ) throws -> [String] {
        let head = try requestHead(
            ["\(method) \(target) HTTP/\(version)"] + lines)
        var buffer = ByteBuffer()
        HTTP1ForwardedHead(head, clientAddress: client).write(to: &buffer, host: "up:1")
        let text = String(buffer: buffer)
        #expect(text.hasSuffix("\r\n\r\n"))
        return text.split(separator: "\r\n").map(String.init)
    }

    private func requestHead(_ lines: [String]) throws -> HTTP1Head {
        var parser = HTTP1HeadParser<HTTP1Head>()
        var bytes = ByteBuffer(string: (lines + ["", ""]).joined(separator: "\r\n"))
        return try #require(try parser.next(from: &bytes, limits: HTTP1Limits()))
    }

    @Test func fields_ofOneConnectionOnly_areNotPassedOn() throws {
        let lines = try forwarded(
            "host: a", "Connection: keep-alive", "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive", "proxy-authenticate: Basic",
            "Proxy-Authorization: Basic eDp5", "TE: trailers", "Upgrade: h2c",
            "Expect: 100-continue", "content-type: text/plain", "Accept: */*", "content-length: 3")
        #expect(
            lines == [
                "POST /a?b HTTP/1.1", "host: a", "content-type: text/plain", "Accept: */*",
                "content-length: 3",
            ])
    }

    @Test func timeThatIsLeft_takesThePlaceOfTheTimeThatWas() throws {
        let head = try requestHead([
            "GET / HTTP/1.1", "host: a", "X-Request-Timeout-Ms: 5000", "accept: */*",
        ])
        #expect(head.timeout == .after(.seconds(5)))
        let forwarded = HTTP1ForwardedHead(head, clientAddress: nil)
        for left in [Duration.milliseconds(1500), .milliseconds(200)] {
            var buffer = ByteBuffer()
            forwarded.write(to: &buffer, host: "up:1", timeLeft: left)
            let lines = String(buffer: buffer).split(separator: "\r\n").map(String.init)
            let text = RequestTimeout.text(left)
            #expect(
                lines == [
                    "GET / HTTP/1.1", "host: a", "accept: */*", "x-request-timeout-ms: \(text)",
                ])
        }
    }

    @Test func fields_namedByConnection_areNotPassedOn() throws {
        let lines = try forwarded(
            "host: a", "connection: close, X-One", "Connection: x-two", "x-one: 1", "X-Two: 2",
            "X-Two: 2 again", "x-three: 3", method: "GET")
        #expect(lines == ["GET /a?b HTTP/1.1", "host: a", "x-three: 3"])
    }

    @Test func whatAClientSaysOfItsTenant_isNotPassedOn() throws {
        let lines = try forwarded(
            "host: a", "X-Martlet-Tenant: b", "x-martlet-tenants: d",
            "x-martlet-tenant:", method: "GET")
        #expect(lines == ["GET /a?b HTTP/1.1", "host: a", "x-martlet-tenants: d"])
    }

    @Test func fields_ofTheRequest_keepOrderCaseAndRepetition() throws {
        let lines = try forwarded(
            "Host: a", "B: 1", "a: 2", "b: 3", "Cookie: x, y", method: "GET")
        #expect(lines.dropFirst(2) == ["B: 1", "a: 2", "b: 3", "Cookie: x, y"])
    }

    /// A client must not be able to take away what tells where its own message ends, or whom it is
    /// for (RFC 9110, section 7.6.1, speaks of fields that are not for all recipients).
    @Test(arguments: ["content-length: 5", "transfer-encoding: chunked"])
    func fields_thatFrameOrRoute_cannotBeTakenAwayByConnection(framing: String) throws {
        let lines = try forwarded(
            "connection: close, content-length, transfer-encoding, host", "host: a", framing)
        #expect(lines == ["POST /a?b HTTP/1.1", "host: a", framing])
    }

    /// A body that is written without a length or chunks is the next request to the upstream.
    @Test(arguments: ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "MINE"])
    func body_ofAnyMethod_isFramed(method: String) throws {
        for framing in ["content-length: 7", "transfer-encoding: chunked"] {
            let lines = try forwarded("host: a", framing, method: method)
            #expect(lines.last == framing)
        }
    }

    @Test func post_withoutBody_saysSo() throws {
        #expect(try forwarded("host: a").last == "content-length: 0")
        #expect(try forwarded("host: a", method: "GET").last == "host: a")
    }

    @Test func client_isNamedBehindThoseBefore() throws {
        let lines = try forwarded("host: a", "x-forwarded-for: 1.1.1.1", client: "2.2.2.2")
        #expect(lines[2...3] == ["x-forwarded-for: 1.1.1.1", "x-forwarded-for: 2.2.2.2"])
    }

    @Test func hostOfHTTP10_isTheUpstreamWhereItIsMissing() throws {
        let lines = try forwarded(method: "GET", version: "1.0")
        #expect(lines == ["GET /a?b HTTP/1.1", "host: up:1"])
    }

    @Test func absoluteTarget_becomesAPath() throws {
        let lines = try forwarded("host: a", method: "GET", target: "http://a/x?y=1")
        #expect(lines.first == "GET /x?y=1 HTTP/1.1")
    }

    /// RFC 9112, section 3.2.4.
    @Test(arguments: [
        ("http://a", "*"), ("*", "*"), ("http://a/", "/"), ("http://a?b", "/?b"), ("/", "/"),
    ])
    func optionsOfTheServer_areAskedByAnAsterisk(target: String, passedOn: String) throws {
        let lines = try forwarded("host: a", method: "OPTIONS", target: target)
        #expect(lines.first == "OPTIONS \(passedOn) HTTP/1.1")
        let get = try? forwarded("host: a", method: "GET", target: target)
        #expect(get?.first != "GET * HTTP/1.1")
    }

    @Test func upgrade_isPassedOnWhereItIsAskedFor() throws {
        let lines = try forwarded(
            "host: a", "Connection: keep-alive, Upgrade", "Upgrade: websocket", method: "GET")
        #expect(lines.dropFirst(2) == ["Upgrade: websocket", "connection: upgrade"])
        let amongOthers = try forwarded(
            "host: a", "Connection: x-hop, Upgrade", "X-Hop: 1", "Upgrade: websocket",
            method: "GET")
        #expect(amongOthers == lines)
        // Named by no Connection, it is not for us.
        #expect(!(try forwarded("host: a", "Upgrade: websocket").contains("Upgrade: websocket")))
    }
}
