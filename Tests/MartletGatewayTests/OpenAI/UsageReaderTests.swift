import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("What answers of language models cost")
struct UsageReaderTests {
    private static let chat = """
        {"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"smollm2",
         "choices":[{"index":0,"message":{"role":"assistant","content":
         "\\"usage\\":{\\"prompt_tokens\\":9} } ]"},"logprobs":null,"usage":{"prompt_tokens":8},
         "model":"no"}],
         "usage" : { "prompt_tokens":31, "completion_tokens" : 12,"total_tokens":43,
         "prompt_tokens_details":{"cached_tokens":16,"prompt_tokens":5}},"system_fingerprint":"f"}
        """

    private static func event(_ usage: String) -> String {
        #"data: {"id":"1","model":"m:2","choices":[{"delta":{"content":"a\nb"}}]\#(usage)}"#
            + "\n\n"
    }

    private static let done = "data: [DONE]\n\n"

    /// Reads a text in pieces that end at these places.
    private func read(
        _ text: String, isStream: Bool = false, cuts: [Int] = []
    ) -> UsageReader {
        let bytes = Array(text.utf8)
        var reader = UsageReader(isStream: isStream)
        var start = 0
        for cut in cuts + [bytes.count] {
            reader.take(bytes[start..<cut])
            start = cut
        }
        return reader
    }

    @Test func wholeAnswer_isReadWhereverItIsCut() {
        let count = Self.chat.utf8.count
        for first in 0...count {
            for second in stride(from: first, through: count, by: 17) {
                let reader = read(Self.chat, cuts: [first, second])
                guard reader.spend(requestBytes: 1) == TokenSpend(input: 31, output: 12),
                    reader.model == "smollm2"
                else {
                    Issue.record("cut at \(first) and \(second): \(reader)")
                    return
                }
            }
        }
    }

    @Test func stream_isReadWhereverItIsCut() {
        let text =
            ": waiting\r\n\r\nevent: x\r\n" + Self.event(#","usage":null"#)
            + Self.event(#","usage":{"prompt_tokens":1,"completion_tokens":1}"#)
            + #"data:{"model":"m:2","choices":[],"usage":"#
            + #"{"prompt_tokens":64,"completion_tokens":3,"total_tokens":67}}"# + "\r\n\r\n"
            + Self.done
        for cut in 0...text.utf8.count {
            let reader = read(text, isStream: true, cuts: [cut])
            guard reader.spend(requestBytes: 1) == TokenSpend(input: 64, output: 3),
                reader.model == "m:2", reader.events == 3
            else {
                Issue.record("cut at \(cut): \(reader)")
                return
            }
        }
    }

    @Test func streamThatSaysNothing_costsATokenForEachEvent() {
        let text = String(repeating: Self.event(""), count: 5) + Self.done
        let reader = read(text, isStream: true)
        #expect(reader.spend(requestBytes: 400) == TokenSpend(input: 101, output: 5))
        // One that is broken off, within an event, costs what has come.
        let part = read(String(text.prefix(3 * Self.event("").count + 10)), isStream: true)
        #expect(part.spend(requestBytes: 0) == TokenSpend(input: 1, output: 4))
    }

    @Test(arguments: [
        // Embeddings have no output; servers of `/v1/responses` have other names.
        (#"{"usage":{"prompt_tokens":5,"total_tokens":5}}"#, TokenSpend(input: 5, output: 0)),
        (#"{"usage":{"total_tokens":5}}"#, TokenSpend(input: 5, output: 0)),
        (#"{"usage":{"prompt_tokens":5,"total_tokens":9}}"#, TokenSpend(input: 5, output: 4)),
        (#"{"usage":{"input_tokens":2,"output_tokens":3}}"#, TokenSpend(input: 2, output: 3)),
        (#"{"usage":{"completion_tokens":3}}"#, TokenSpend(input: 0, output: 3)),
        // The last one counts, and more than anybody believes does not.
        (
            #"{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":99999999999999999999999}}"#,
            TokenSpend(input: TokenSpend.most, output: 0)
        ),
    ])
    func formsOfUsage_areUnderstood(text: String, spend: TokenSpend) {
        #expect(read(text).spend(requestBytes: 0) == spend)
    }

    @Test(arguments: [
        "", "null", "[1,2]", "{", "}}}}", #"{"usage":7}"#, #"{"usage":null}"#, #"{"usage":{}}"#,
        #"{"usage":[{"prompt_tokens":5}]}"#, #"["usage",{"prompt_tokens":5}]"#,
        #"{"a":{"usage":{"prompt_tokens":5}}}"#, #"{"usage":{"prompt_tokens":-5}}"#,
        #"{"usage":{"prompt_tokens":5.5}}"#, #"{"usage":{"prompt_tokens":1e3}}"#,
        #"{"usage":{"prompt_tokens":"5"}}"#, #"{"usage":{"a":{"prompt_tokens":5}}}"#,
        #"{"usage":{"prompt_tokens":[5]}}"#,
    ])
    func whatIsNoUsage_isEstimatedByTheRequest(text: String) {
        #expect(read(text).spend(requestBytes: 8) == TokenSpend(input: 3, output: 0))
    }

    @Test func nameOfTheModel_isPlainAndNotTooLong() {
        #expect(read(#"{"model":"a/b:3"}"#).model == "a/b:3")
        #expect(read(#"{"model":"a\"b"}"#).model == nil)
        #expect(read(#"{"model":7}"#).model == nil)
        let long = String(repeating: "m", count: 256)
        #expect(read(#"{"model":"\#(long)"}"#).model == long)
        #expect(read(#"{"model":"\#(long)m"}"#).model == nil)
    }

    /// Whatever comes, the same is found however it is cut, and nothing ends the process.
    @Test func nonsense_isReadAlikeInAllPieces() {
        let alphabet =
            Array(#"{}[]:,"\05e.- usage model prompt_tokens data:"#.utf8) + [10, 13, 255]
        let words = ["\"usage\":", "{\"prompt_tokens\":5}", "data:", "\n", "{", "\"model\":\"m\""]
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            var bytes: [UInt8] = []
            for _ in 0..<60 {
                if Bool.random(using: &generator) {
                    bytes += Array((words.randomElement(using: &generator) ?? "").utf8)
                } else {
                    bytes.append(alphabet.randomElement(using: &generator) ?? 0)
                }
            }
            let isStream = Bool.random(using: &generator)
            var (whole, cut) = (UsageReader(isStream: isStream), UsageReader(isStream: isStream))
            whole.take(bytes)
            for byte in bytes { cut.take([byte]) }
            let isSame =
                whole.spend(requestBytes: 5) == cut.spend(requestBytes: 5)
                && whole.model == cut.model && whole.events == cut.events
            #expect(isSame, "\(SimulationSeeds.replay(seed))")
            guard isSame else { return }
        }
    }
}
