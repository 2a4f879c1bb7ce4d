import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Reading an upstream's answers")
struct HTTP1AnswerReaderTests {
    /// What a reader tells of bytes, in words; contents that follow each other as one.
    private struct Story: Equatable {
        var events: [String] = []
        var isReusable = false
        var hasFailed = false

        init(
            _ text: String, split: Int? = nil, isToHead: Bool = false, allowsUpgrade: Bool = false,
            ends: Bool = false
        ) {
            var reader = HTTP1AnswerReader(limits: HTTP1Limits())
            reader.expect(isToHead: isToHead, allowsUpgrade: allowsUpgrade)
            let bytes = Array(text.utf8)
            let cut = split ?? bytes.count
            for part in [bytes.prefix(cut), bytes.dropFirst(cut)] {
                reader.receive(ByteBuffer(bytes: part))
                take(&reader)
            }
            if ends, reader.receiveEnd() { events.append("end") }
            isReusable = reader.isReusable && !reader.hasStrayBytes
        }

        private mutating func take(_ reader: inout HTTP1AnswerReader) {
            do {
                while let event = try reader.next() { add(event) }
            } catch {
                hasFailed = true
            }
        }

        private mutating func add(_ event: HTTP1AnswerEvent) {
            switch event {
            case .head(let head, let isEnd): events.append("\(head.status)\(isEnd ? " end" : "")")
            case .content(let bytes):
                let text = String(buffer: bytes)
                if let last = events.last, last.hasPrefix("'") {
                    events[events.count - 1] = last + text
                } else {
                    events.append("'" + text)
                }
            case .end(let trailers):
                events.append("end" + (trailers.map { " " + String(buffer: $0) } ?? ""))
            case .whole(let head, let bytes):
                events += ["\(head.status)", "'" + String(buffer: bytes), "end"]
            }
        }
    }

    private static let good: [(String, [String])] = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", ["200", "'abc", "end"]),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ["200 end"]),
        ("HTTP/1.1 204 No Content\r\n\r\n", ["204 end"]),
        ("HTTP/1.1 304 x\r\ncontent-length: 9\r\n\r\n", ["304 end"]),
        ("HTTP/1.1 200 schön\tund gut\r\ncontent-length: 0\r\n\r\n", ["200 end"]),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\na: b\r\n\r\n",
            ["200", "'abc", "end a: b\r\n"]
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
            ["200", "'x", "end"]
        ),
    ]

    @Test func answers_areReadWhereverTheyAreCut() {
        for (text, events) in HTTP1AnswerReaderTests.good {
            for split in 0...text.utf8.count {
                let story = Story(text, split: split)
                #expect(story.events == events, "\(text) cut at \(split)")
                #expect(story.isReusable && !story.hasFailed)
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        // Bytes behind the answer belong to nobody.
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
    ])
    func connection_thatMayMisleadTheNextRequest_isNotReused(text: String) {
        let story = Story(text)
        #expect(story.events == ["200 end"])
        #expect(!story.isReusable)
    }

    @Test func content_withoutLength_endsWithTheConnection() {
        let text = "HTTP/1.1 200 OK\r\n\r\nabc"
        #expect(Story(text).events == ["200", "'abc"])
        let story = Story(text, ends: true)
        #expect(story.events == ["200", "'abc", "end"])
        #expect(!story.isReusable)
    }

    @Test func content_thatIsCutOff_hasNoEnd() {
        let story = Story("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc", ends: true)
        #expect(story.events == ["200", "'abc"])
    }

    @Test func answerToHead_hasNoContentWhateverItSays() {
        let story = Story("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", isToHead: true)
        #expect(story.events == ["200 end"])
        #expect(story.isReusable)
    }

    @Test func upgrade_isTakenOnlyWhereItWasAskedFor() {
        let text = "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nabc"
        let story = Story(text, allowsUpgrade: true)
        #expect(story.events == ["101", "'abc"])
        #expect(!story.isReusable)
        #expect(Story(text).hasFailed)
    }

    /// What may be read in two ways is nobody's answer.
    @Test(arguments: [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "content-length: 3\r\ncontent-length: 3",
        "content-length: +3", "content-length: 3, 3", "content-length:", "transfer-encoding: gzip",
        "transfer-encoding: chunked, gzip", "transfer-encoding: xchunked", "a : b", "a\n", " a: b",
        "content-length: 99999999999999999999",
    ])
    func answer_thatIsNotPlain_fails(field: String) {
        let story = Story("HTTP/1.1 200 OK\r\n\(field)\r\n\r\nabc")
        #expect(story.hasFailed, "\(field)")
        #expect(story.events.isEmpty)
    }

    @Test func chunks_ofHTTP10_fail() {
        let story = Story(
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n"
                + "0\r\n\r\n")
        #expect(story.hasFailed && story.events.isEmpty)
    }

    @Test(arguments: [
        "SSH-2.0-x\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 \r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
    ])
    func firstLine_thatIsNone_fails(text: String) {
        #expect(Story(text).hasFailed, "\(text)")
    }

    @Test func changedBytes_neverTrap_andNeverTellTwoEnds() {
        for seed in SimulationSeeds.first(3000) {
            var random = SeededGenerator(seed: seed)
            let (text, _) = HTTP1AnswerReaderTests.good.randomElement(using: &random) ?? ("", [])
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            let story = Story(
                String(decoding: bytes, as: UTF8.self),
                split: .random(in: 0...bytes.count, using: &random))
            #expect(story.events.count { $0.hasPrefix("end") || $0.hasSuffix(" end") } <= 1)
        }
    }
}
