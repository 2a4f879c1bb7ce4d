import MartletTestKit
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import MartletTransport

@Suite("Our HTTP/1.1 beside the stock one")
struct HTTP1StockComparisonTests {
    /// The requests as the stock decoder reads them.
    private func stock(_ bytes: [UInt8]) throws -> [String] {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        var events: [String] = []
        var body = ""
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                let fields = head.headers.map { "\($0.name): \($0.value)" }
                events.append("\(head.method.rawValue) \(head.uri) \(fields)")
                body = ""
            case .body(let bytes): body += String(buffer: bytes)
            case .end: events.append("end '\(body)'")
            }
        }
        _ = try? channel.finish()
        return events
    }

    private func ours(_ bytes: [UInt8]) -> [String] {
        var connection = HTTP1Connection(limits: HTTP1Limits())
        connection.receive(ByteBuffer(bytes: bytes))
        var events: [String] = []
        var body = ""
        while let event = connection.next() {
            var hasEnded = false
            switch event {
            case .head(let head, let isEnd):
                let line = String(decoding: head.bytes, as: UTF8.self)
                    .split(separator: "\r\n").first?.split(separator: " ")
                let fields = head.fields.map { "\($0.name): \($0.value)" }
                events.append("\(head.method) \(line?[1] ?? "") \(fields)")
                body = ""
                hasEnded = isEnd
            case .content(let bytes, let isEnd):
                body += String(buffer: bytes)
                hasEnded = isEnd
            case .failed(let fault): events.append("failed \(fault)")
            }
            guard hasEnded else { continue }
            events.append("end '\(body)'")
            connection.answer(HTTPResponse(status: 200))
            _ = connection.takeOutput()
        }
        return events
    }

    /// The stock decoder knows neither these methods nor these versions and extensions, and keeps
    /// blanks behind a value.
    private static let differences = [
        "a minor version to come", "a method of its own", "bytes above ASCII in a value",
        "every character of a token", "a quoted extension", "blanks around a value",
        "chunked, in capitals",
    ]

    @Test func validRequests_areReadAlike() throws {
        for situation in HTTP1ConformanceTables.accepted {
            if Self.differences.contains(situation.situation) { continue }
            let own = ours(situation.bytes)
            #expect(try own == stock(situation.bytes), "\(situation.testDescription)")
        }
    }

    @Test func randomValidRequests_areReadAlike() throws {
        for seed in 0..<300 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1..<5, using: &random) {
                bytes += Array(Self.request(&random).utf8)
            }
            #expect(try ours(bytes) == stock(bytes), "seed \(seed)")
        }
    }

    private static func request(_ random: inout SeededGenerator) -> String {
        func text(_ count: Int, _ random: inout SeededGenerator) -> String {
            String((0..<count).compactMap { _ in "abcXYZ019-".randomElement(using: &random) })
        }
        let method = ["GET", "POST", "PUT", "DELETE"].randomElement(using: &random) ?? "GET"
        let target = "/" + text(Int.random(in: 0..<20, using: &random), &random)
        var lines = ["\(method) \(target) HTTP/1.1", "Host: \(text(3, &random))"]
        for _ in 0..<Int.random(in: 0..<10, using: &random) {
            let value = text(Int.random(in: 0..<40, using: &random), &random)
            lines.append("X-\(text(4, &random)): \(value)")
        }
        let body = text(Int.random(in: 0..<100, using: &random), &random)
        guard Bool.random(using: &random) else {
            lines.append("Content-Length: \(body.utf8.count)")
            return (lines + ["", ""]).joined(separator: "\r\n") + body
        }
        lines.append("Transfer-Encoding: chunked")
        var chunks = ""
        var rest = body[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1..<20, using: &random))
            rest = rest.dropFirst(chunk.count)
            chunks += "\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n"
        }
        return (lines + ["", ""]).joined(separator: "\r\n") + chunks + "0\r\n\r\n"
    }
}
