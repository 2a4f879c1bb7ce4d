import MartletTestKit
import NIOCore

@testable import MartletTransport

/// A connection whose application does anything at any time that it may.
struct HTTP1AnyApplication {
    private enum Part { case none, content, whole, failed, tunnel, over }

    private var connection = HTTP1Connection(limits: HTTP1Limits())
    private var part = Part.none

    /// What upstreams may answer.
    static let heads = [
        "200 OK\r\ncontent-length: 3", "200 OK\r\ntransfer-encoding: chunked", "204 No Content",
        "101 x\r\nconnection: upgrade\r\nupgrade: x", "200 OK",
    ].compactMap { text in
        var parser = HTTP1HeadParser<HTTP1AnswerHead>()
        var bytes = ByteBuffer(string: "HTTP/1.1 \(text)\r\n\r\n")
        return try? parser.next(from: &bytes, limits: HTTP1Limits())
    }

    /// Sees to it that the connection stays in a valid state.
    static func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        var random = Cuts.generator(for: bytes)
        // What follows differs from what decides on the cuts.
        let seed = random.next()
        try check(bytes, seed: seed)
    }

    static func check(_ bytes: [UInt8], seed: UInt64) throws(BrokenProperty) {
        var random = SeededGenerator(seed: seed)
        var application = HTTP1AnyApplication()
        for piece in Cuts.pieces(of: bytes, size: { .random(in: 1..<200, using: &random) }) {
            try application.receive(piece, &random)
        }
    }

    private mutating func receive(
        _ bytes: ArraySlice<UInt8>, _ random: inout SeededGenerator
    ) throws(BrokenProperty) {
        connection.receive(ByteBuffer(bytes: bytes))
        for _ in 0..<3 {
            while let event = connection.next() { try take(event) }
            act(&random)
            if connection.isClosing { part = .over }
        }
        try BrokenProperty.unless(
            !connection.isClosing || connection.next() == nil, "More was told behind the end")
    }

    private mutating func take(_ event: HTTP1Event) throws(BrokenProperty) {
        switch (event, part) {
        case (.head(_, let isEnd), .none): part = isEnd ? .whole : .content
        case (.content(_, let isEnd), .content): part = isEnd ? .whole : .content
        case (.content(_, isEnd: false), .tunnel): break
        case (.failed, .none), (.failed, .content): part = .failed
        default: throw BrokenProperty("\(event) in \(part)")
        }
    }

    private mutating func act(_ random: inout SeededGenerator) {
        let choice = Int.random(in: 0..<10, using: &random)
        switch choice {
        case 0: connection.startDraining()
        case 1: connection.setWritable(false)
        case 2: connection.setWritable(true)
        case 3: connection.wantContent()
        default:
            if connection.streamed != nil {
                stream(choice)
            } else {
                answer(choice, &random)
            }
        }
        _ = connection.takeOutput()
    }

    /// Goes on with an answer that is given in pieces.
    private mutating func stream(_ choice: Int) {
        guard choice > 6 || part == .failed else {
            _ = connection.send(ByteBuffer(repeating: 0x61, count: choice * 2000 - 8000))
            return
        }
        connection.endAnswer(trailers: choice == 7 ? ByteBuffer(string: "a: b\r\n") : nil)
        part = .none
    }

    private mutating func answer(_ choice: Int, _ random: inout SeededGenerator) {
        switch choice {
        case 4: connection.refuse(HTTPResponse(status: 413))
        case 5, 6:
            guard part == .content || part == .whole,
                let head = HTTP1AnyApplication.heads.randomElement(using: &random)
            else { return }
            connection.begin(head)
            if connection.isTunnel { part = .tunnel }
        default:
            if part == .failed {
                connection.refuse(HTTPResponse(status: 400))
            } else {
                connection.answer(HTTPResponse(status: 200, body: [1, 2, 3]))
                if part == .whole { part = .none }
            }
        }
    }
}
