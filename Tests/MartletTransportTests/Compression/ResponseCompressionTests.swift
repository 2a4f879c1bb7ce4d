import MartletTestKit
import Testing

@testable import MartletTransport

@Suite("Compression of answers")
struct ResponseCompressionTests {
    private func request(_ accepted: String?) -> HTTPRequest {
        HTTPRequest(
            method: "GET", path: "/", headers: accepted.map { ["Accept-Encoding": $0] } ?? [:],
            context: RequestContext(remoteAddress: "test"))
    }

    private func inflated(_ bytes: [UInt8]) throws -> [UInt8] {
        let limits = DecompressionLimits(bytesMax: 1 << 30, ratioMax: 10_000)
        let inflater = try Inflater(.gzip, limits: limits)
        var output: [UInt8] = []
        try bytes.withUnsafeBytes { try inflater.append($0, to: &output) }
        #expect(inflater.isComplete)
        return output
    }

    @Test(arguments: [100, 1000, 65_536, 1_000_000])
    func text_comesBack(count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let text = (0..<count).map { _ in UInt8.random(in: 0x30...0x39, using: &generator) }
        let smaller = try #require(Gzip.compress(text))
        #expect(smaller.count < text.count)
        #expect(try inflated(smaller) == text)
    }

    @Test func bytes_thatDoNotGetSmaller_areLeft() {
        var generator = SeededGenerator(seed: 1)
        let noise = (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        #expect(Gzip.compress(noise) == nil)
        #expect(Gzip.compress([]) == nil)
        #expect(Gzip.compress([1]) == nil)
    }

    @Test(arguments: [
        ("gzip", true), ("deflate, gzip;q=1.0, *;q=0.5", true), ("GZIP", true), ("x-gzip", true),
        ("*", true), ("br;q=1, gzip ; q=0.1", true), ("gzip;q=0", false), ("*;q=0", false),
        ("gzip;q=0, *", false), ("identity", false), ("br, deflate", false), ("", false),
        ("gzip;q=much", false), (",;,", false),
    ])
    func codings_areReadAsTheStandardSays(field: String, takesGzip: Bool) {
        #expect(AcceptedCodings(["accept-encoding": field]).takesGzip == takesGzip)
    }

    @Test func answer_isCompressed_onlyWhereTheClientTakesIt_andItIsLarge() throws {
        let body = [UInt8](repeating: 0x20, count: 1000)
        func answer(_ accepted: String?, _ type: String, from bytes: Int) -> HTTPResponse {
            var answer = HTTPResponse(status: 200, contentType: type, body: body)
            answer.compress(for: request(accepted), from: bytes)
            return answer
        }
        let compressed = answer("gzip", "application/json", from: 1000)
        #expect(compressed.headers.first("content-encoding") == "gzip")
        #expect(compressed.headers.first("vary") == "accept-encoding")
        #expect(try inflated(compressed.body) == body)
        let plain = [
            answer(nil, "application/json", from: 1000), answer("gzip", "text/plain", from: 1001),
            answer("gzip", "application/octet-stream", from: 1),
        ]
        for answer in plain {
            #expect(answer.body == body)
            #expect(answer.headers.first("content-encoding") == nil)
        }
        #expect(plain[0].headers.first("vary") == "accept-encoding")
        #expect(plain[1].headers.first("vary") == nil)
    }
}
