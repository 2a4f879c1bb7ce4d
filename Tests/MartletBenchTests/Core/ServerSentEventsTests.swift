import Testing

@testable import MartletBench

@Suite("Server-sent events")
struct ServerSentEventsTests {
    private static let stream = """
        : a remark

        data: {"a":1}

        event: x
        data:two
        data:  lines
        id: 7

        retry: 10

        data

        data: [DONE]


        """

    private func texts(_ parts: [[UInt8]]) -> [String] {
        var reader = ServerSentEvents()
        return parts.flatMap { reader.receive($0) }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func events_areTheSameWhereverTheStreamIsCut(lineEnd: String) {
        let bytes = Array(
            ServerSentEventsTests.stream.split(separator: "\n", omittingEmptySubsequences: false)
                .joined(separator: lineEnd).utf8)
        let expected = ["{\"a\":1}", "two\n lines", "", "[DONE]"]
        #expect(texts([bytes]) == expected)
        #expect(texts(bytes.map { [$0] }) == expected)
        for cut in bytes.indices {
            #expect(texts([Array(bytes[..<cut]), Array(bytes[cut...])]) == expected)
        }
    }

    @Test func eventWithoutEnd_isNotTold() {
        #expect(texts([Array("data: x\n".utf8)]).isEmpty)
    }

    @Test func endlessLine_isGivenUp() {
        var reader = ServerSentEvents()
        for _ in 0..<3 {
            #expect(reader.receive([UInt8](repeating: 65, count: 1 << 19)).isEmpty)
        }
        #expect(reader.isTooLong)
    }

    @Test func tokens_areToldFromOtherEvents() {
        func hasToken(_ text: String) -> Bool { OpenAIEvent.hasToken(Array(text.utf8)) }
        #expect(hasToken(#"{"choices":[{"delta":{"content":"hi"}}]}"#))
        #expect(hasToken(#"{"choices":[{"text":" hi","index":0}]}"#))
        #expect(!hasToken(#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#))
        #expect(!hasToken(#"{"choices":[],"usage":{"completion_tokens":3}}"#))
        #expect(!hasToken("[DONE]"))
        #expect(!hasToken("{"))
    }

    @Test func streamClock_tellsFirstTokensFromLaterOnes() {
        func event(_ text: String) -> [UInt8] {
            Array("data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"}}]}\n\n".utf8)
        }
        var clock = StreamClock()
        let first = clock.begin(1000)
        let second = clock.begin(2000)
        #expect(clock.receive(event("a"), for: first, at: 1500) == [.first(500)])
        #expect(clock.receive(event("b"), for: second, at: 2600) == [.first(600)])
        #expect(
            clock.receive(event("c") + event("d"), for: first, at: 1800) == [.next(300), .next(0)])
        #expect(clock.end(first)?.tokens == 3)
        #expect(clock.end(first) == nil)
        #expect(clock.begin(3000) == first)
    }
}
