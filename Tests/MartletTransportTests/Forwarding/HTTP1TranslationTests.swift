import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("Requests of HTTP/2 to upstreams of HTTP/1.1")
struct HTTP1TranslationTests {
    /// What an upstream gets of a request's head, line by line; `nil` where it cannot be said.
    private func forwarded(
        _ fields: [(String, String)], hasContent: Bool = false, changes: ForwardingChanges? = nil
    ) -> [String]? {
        let head = HTTP2ForwardedHead(
            RequestHead(HPACKHeaders(fields)), clientAddress: "1.2.3.4", changes: changes)
        guard let forwarded = head.http1(hasContent: hasContent) else { return nil }
        var buffer = ByteBuffer()
        forwarded.write(to: &buffer, host: "up:1")
        return String(buffer: buffer).split(separator: "\r\n").map(String.init)
    }

    private let post = [
        (":method", "POST"), (":scheme", "https"), (":path", "/p?a=b"), (":authority", "a:1"),
    ]

    @Test func pseudoFields_becomeTheFirstLineAndTheHost() {
        #expect(
            forwarded(
                post + [("te", "trailers"), ("accept", "*/*"), ("content-length", "3")],
                hasContent: true) == [
                    "POST /p?a=b HTTP/1.1", "host: a:1", "accept: */*", "x-forwarded-for: 1.2.3.4",
                    "content-length: 3",
                ])
    }

    @Test func contentOfUnknownLength_isChunked() {
        #expect(forwarded(post, hasContent: true)?.last == "transfer-encoding: chunked")
        #expect(forwarded(post)?.last == "content-length: 0")
        #expect(forwarded(HeaderSamples.get)?.last == "x-forwarded-for: 1.2.3.4")
    }

    @Test func cookies_areOneField() {
        let lines = forwarded(post + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])
        #expect(lines?.filter { $0.hasPrefix("cookie") } == ["cookie: a=1; b=2"])
    }

    @Test func changes_areMade() {
        var changes = ForwardingChanges()
        changes.path = "/new"
        changes.request.removed = ["x"]
        changes.request.added = [.init("y", "2")]
        changes.contentLength = 9
        let lines = forwarded(post + [("x", "1")], hasContent: true, changes: changes)
        #expect(lines?.first == "POST /new?a=b HTTP/1.1")
        #expect(lines?.contains("x: 1") == false)
        #expect(lines?.contains("y: 2") == true)
        #expect(lines?.last == "content-length: 9")
    }

    /// What would be one request in HTTP/2, and perhaps two in HTTP/1.1.
    @Test(arguments: [
        (":path", "/ HTTP/1.1"), (":path", "/a b"), (":path", "http://b/"), (":path", "a"),
        (":path", "/a#b"), (":path", "/a\r\n\r\nGET /b"), (":method", "GET /b HTTP/1.1"),
        (":method", "CONNECT"), (":method", ""), (":authority", "a b"), (":authority", "a@b"),
        ("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "a\u{1}"),
    ])
    func whatHTTP1WouldReadInAnotherWay_isNotSaid(name: String, value: String) {
        let isPseudo = name.hasPrefix(":")
        let fields = isPseudo ? post.map { $0.0 == name ? (name, value) : $0 } : post
        #expect(forwarded(isPseudo ? fields : fields + [(name, value)]) == nil)
    }

    @Test func answers_haveTheirStatusFieldsAndLength() throws {
        var parser = HTTP1HeadParser<HTTP1AnswerHead>()
        let lines = [
            "HTTP/1.1 418 Any", "X-Own: a", "Connection: close", "Content-Length: 3", "", "",
        ]
        var bytes = ByteBuffer(string: lines.joined(separator: "\r\n"))
        let head = try #require(try parser.next(from: &bytes, limits: HTTP1Limits()))
        let answer = try #require(head.http2)
        #expect(answer.status == 418)
        #expect(answer.contentLength == 3)
        let fields = answer.fields.fields.map { "\($0.name)=\($0.value)" }
        #expect(fields == ["x-own=a", "content-length=3"])
    }
}
