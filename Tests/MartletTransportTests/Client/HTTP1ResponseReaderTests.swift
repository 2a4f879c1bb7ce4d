import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Answers of HTTP/1.1 servers")
struct HTTP1ResponseReaderTests {
    /// What a reader tells of bytes that come in parts, content put together.
    private func events(_ parts: [[UInt8]], endsThere: Bool = false) -> [String] {
        var reader = HTTP1ResponseReader()
        reader.wantsBody = true
        var events: [String] = []
        var body: [UInt8] = []
        func note(_ event: HTTP1ResponseReader.Event) {
            if case .body(let bytes, _) = event {
                body += bytes.map { Array($0.readableBytesView) } ?? []
                return
            }
            if !body.isEmpty { events.append(String(decoding: body, as: UTF8.self)) }
            body = []
            switch event {
            case .head(let status): events.append("\(status)")
            case .end(let isReusable): events.append(isReusable ? "end" : "last")
            case .malformed(let text): events.append("malformed: \(text)")
            case .body: break
            }
        }
        for part in parts {
            reader.receive(ByteBuffer(bytes: part))
            while let event = reader.next() { note(event) }
        }
        if endsThere, let event = reader.receiveEnd() { note(event) }
        return events
    }

    private static let answers: [(String, [String])] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ["200", "hello", "end"]),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", ["200", "end"]),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5;a=b\r\nhello\r\nA \r\n, everyone\r\n0\r\nx: y\r\n\r\n",
            ["200", "hello, everyone", "end"]
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nconnection: close\r\n"
                + "content-length: 2\r\n\r\nno", ["503", "no", "last"]
        ),
        ("HTTP/1.1 204 None\r\nserver: x\r\n\r\n", ["204", "end"]),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", ["200", "a", "last"]),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
            ["200", "a", "end"]
        ),
        (
            "HTTP/1.1 200 OK\nCONTENT-LENGTH:  3 \n\nabcHTTP/1.1 404 \r\ncontent-length: 1\r\n\r\nx",
            ["200", "abc", "end", "404", "x", "end"]
        ),
    ]

    @Test func answers_areTheSameWhereverTheyAreCut() {
        for (text, expected) in HTTP1ResponseReaderTests.answers {
            let bytes = Array(text.utf8)
            #expect(events([bytes]) == expected)
            #expect(events(bytes.map { [$0] }) == expected)
            for cut in bytes.indices {
                #expect(events([Array(bytes[..<cut]), Array(bytes[cut...])]) == expected)
            }
        }
    }

    @Test func answerWithoutLength_endsWithItsConnection() {
        let bytes = Array("HTTP/1.1 200 OK\r\n\r\nall of it".utf8)
        #expect(events([bytes], endsThere: true) == ["200", "all of it", "last"])
        #expect(events([bytes]) == ["200"])
    }

    @Test(arguments: [
        "SSH-2.0-x\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
    ])
    func whatIsNoAnswer_isToldAndEndsThere(text: String) {
        let told = events([Array(text.utf8), Array("HTTP/1.1 200 OK\r\n\r\n".utf8)])
        #expect(told.last?.hasPrefix("malformed: ") == true)
    }

    @Test func headWithoutEnd_isGivenUp() {
        let field = Array("x: \(String(repeating: "y", count: 1000))\r\n".utf8)
        let parts =
            [Array("HTTP/1.1 200 OK\r\n".utf8)] + Array(repeating: field, count: 80)
        #expect(events(parts).last == "malformed: The head of the answer is too long")
        let start = Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;".utf8)
        let line = [UInt8](repeating: 97, count: 5000)
        #expect(events([start, line]).last?.hasPrefix("malformed: A line") == true)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func damagedAnswers_neverTrap(part: UInt64) {
        for seed in SimulationSeeds.first(2000) where seed % 4 == part {
            var random = SeededGenerator(seed: seed)
            var bytes: [UInt8] = []
            for _ in 0..<3 {
                let answer = HTTP1ResponseReaderTests.answers.randomElement(using: &random)
                bytes += Array((answer?.0 ?? "").utf8)
            }
            for _ in 0..<Int.random(in: 0..<8, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            let cut = Int.random(in: bytes.indices, using: &random)
            let halves = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(events(halves) == events([bytes]), "\(SimulationSeeds.replay(seed))")
        }
    }
}
