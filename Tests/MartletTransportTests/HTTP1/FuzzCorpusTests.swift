import Foundation
import Testing

@testable import MartletTransport

/// What fuzzers began with and what they found, in Fuzz/corpus, each time the tests run.
@Suite("The fuzzers' corpus")
struct FuzzCorpusTests {
    struct Entry: Sendable, CustomTestStringConvertible {
        let file: URL

        /// How the bytes are to end, where their file says so.
        var ending: String { file.pathExtension }

        var testDescription: String { file.lastPathComponent }

        func bytes() throws -> [UInt8] { Array(try Data(contentsOf: file)) }
    }

    private static func entries(_ target: String) -> [Entry] {
        // This file is in Tests/MartletTransportTests/HTTP1.
        let root = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in
            url.deletingLastPathComponent()
        }
        let files = try? FileManager.default.contentsOfDirectory(
            at: root.appending(path: "Fuzz/corpus/\(target)"), includingPropertiesForKeys: nil)
        return (files ?? []).map(Entry.init).sorted { $0.file.path < $1.file.path }
    }

    private static let requests = entries("http1-request")
    private static let answers = entries("http1-answer")
    private static let requestsOfHTTP2 = entries("http2-request")

    @Test func corpus_isThere() {
        for entries in [Self.requests, Self.answers, Self.requestsOfHTTP2] {
            #expect(entries.count { $0.ending == "refused" } > 15)
            #expect(entries.count { $0.ending == "taken" } > 10)
        }
    }

    @Test(arguments: requests)
    func requestsOfHTTP1_keepWhatIsPromised(entry: Entry) throws {
        let bytes = try entry.bytes()
        try HTTP1RequestProperties.check(bytes)
        let reading = try HTTP1RequestProperties.read([bytes[...]])
        switch entry.ending {
        case "refused":
            #expect(reading.fault != nil)
            // What was smuggled behind it is nobody's request.
            #expect(!reading.requests.contains { $0.head.path == "/smuggled" })
        case "taken": #expect(reading.fault == nil && !reading.requests.isEmpty)
        default: break
        }
    }

    @Test(arguments: answers)
    func answersOfHTTP1_keepWhatIsPromised(entry: Entry) throws {
        let bytes = try entry.bytes()
        try HTTP1AnswerProperties.check(bytes)
        let asker = HTTP1Asker(isToHead: false, allowsUpgrade: entry.ending == "upgraded")
        let reading = try HTTP1AnswerProperties.read([bytes[...]], for: asker)
        switch entry.ending {
        case "refused": #expect(reading.fault != nil)
        case "taken": #expect(reading.fault == nil)
        case "upgraded": #expect(reading.head?.status == 101 && reading.content.isComplete)
        default: break
        }
    }

    @Test(arguments: requestsOfHTTP2)
    func requestsOfHTTP2_keepWhatIsPromised(entry: Entry) throws {
        let bytes = try entry.bytes()
        try HTTP2RequestProperties.check(bytes)
        // Floods are short here.
        let limits = entry.ending == "refused" ? HTTP2Limits.tight : HTTP2Limits()
        let reading = try HTTP2RequestProperties.read([bytes[...]], limits: limits)
        switch entry.ending {
        case "refused": #expect(reading.hasFailed)
        case "taken": #expect(!reading.hasFailed && !reading.events.isEmpty)
        default: break
        }
    }
}

/// The second reading has to see what the parser must not accept, or it would prove nothing.
@Suite("The second reading of heads")
struct PlainReadingTests {
    private func plain(_ lines: String...) throws -> PlainHead {
        try PlainHead(Array((lines + ["", ""]).joined(separator: "\r\n").utf8)[...])
    }

    @Test(arguments: [
        "a : b", " a: b", "a", ": b", "a: b\nc: d", "a: b\rc: d", "a: \0", "a\u{1}: b", "ä: b",
    ])
    func fields_thatMayBeReadInTwoWays_areFound(line: String) {
        #expect(throws: BrokenProperty.self) { try plain("GET / HTTP/1.1", line) }
    }

    @Test(arguments: [
        "content-length: 1\r\nContent-Length: 1", "content-length: 1, 1", "content-length: +1",
        "content-length:", "content-length: 99999999999999999999", "transfer-encoding: gzip",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "content-length: 3\r\ntransfer-encoding: chunked",
    ])
    func lengths_thatMayBeReadInTwoWays_areFound(lines: String) throws {
        let head = try plain("POST / HTTP/1.1", lines)
        #expect(throws: BrokenProperty.self) { try head.framing(isHTTP10: false) }
    }

    @Test func lengths_thatArePlain_areRead() throws {
        #expect(try plain("x", "a: b").framing(isHTTP10: false) == nil)
        #expect(try plain("x", "Content-LENGTH: \t07 ").framing(isHTTP10: true) == .length(7))
        let chunked = try plain("x", "transfer-encoding: Chunked")
        #expect(try chunked.framing(isHTTP10: false) == .chunked)
        #expect(throws: BrokenProperty.self) { try chunked.framing(isHTTP10: true) }
    }

    @Test func chunks_areReadUpToTheirEnd() throws {
        let text = "2;a=b\r\nhi\r\nA\r\n0123456789\r\n0\r\nc: d\r\n\r\nGET"
        var reader = PlainReader(Array(text.utf8))
        let content = reader.chunks()
        #expect(
            content
                == PlainContent(
                    bytes: Array("hi0123456789".utf8), trailers: Array("c: d\r\n".utf8),
                    isComplete: true))
        #expect(String(decoding: reader.rest, as: UTF8.self) == "GET")
    }
}
