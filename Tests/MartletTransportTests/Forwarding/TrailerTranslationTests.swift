import MartletCore
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

@Suite("Trailers from one version of HTTP to the other")
struct TrailerTranslationTests {
    private func http1(_ fields: [(String, String)]) -> String? {
        FieldTrailers(HPACKHeaders(fields)).http1.map { String(buffer: $0) }
    }

    private func http2(_ lines: String) -> [String]? {
        ByteBuffer(string: lines).http2Trailers?.fields.fields.map { "\($0.name): \($0.value)" }
    }

    @Test func fields_goOnBothWays() {
        #expect(http1([("a", "b"), ("digest", "x, y")]) == "a: b\r\ndigest: x, y\r\n")
        #expect(http2("A: b\r\nDigest:  x, y \r\n") == ["a: b", "digest: x, y"])
    }

    @Test(arguments: [
        "connection", "transfer-encoding", "content-length", "te", "host", "authorization",
        "content-type", "x-martlet-tenant", "x-request-timeout-ms", "endpoint-load-metrics",
    ])
    func fields_ofOneHopOrTooLate_areLeftOut(name: String) {
        #expect(http1([(name, "1"), ("a", "b")]) == "a: b\r\n")
        #expect(http1([(name, "1")]) == nil)
        #expect(http2("\(name): 1\r\na: b\r\n") == ["a: b"])
        #expect(http2("\(name): 1\r\n") == nil)
    }

    /// What would be one field in HTTP/2, and something else in HTTP/1.1.
    @Test(arguments: [
        ("a", "1\r\n\r\nGET / HTTP/1.1"), ("a", "1\nb: 2"), ("a\r\nb", "1"), ("a:b", "1"),
        ("a b", "1"), ("", "1"), (":path", "/"), ("a", "1\u{0}"),
    ])
    func fields_thatHTTP1CannotSay_areLeftOut(name: String, value: String) {
        #expect(http1([(name, value), ("c", "d")]) == "c: d\r\n")
    }
}
