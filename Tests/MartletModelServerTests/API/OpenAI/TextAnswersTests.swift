import MartletCore
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Answers with texts, tokens, models and vectors")
struct TextAnswersTests {
    private let zeros = String(repeating: "0", count: 32)

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func completion_isWritten() {
        let answer = CompletionEncoder(OpenAISupport.identity(.completion)).whole(
            [CompletionChoice(text: Array("x".utf8), finishReason: .stop)],
            usage: TokenUsage(promptTokens: 1, completionTokens: 2))
        #expect(
            text(answer)
                == #"{"id":"cmpl-\#(zeros)","object":"text_completion","created":7,"model":"m","#
                + #""system_fingerprint":null,"choices":[{"text":"x","index":0,"logprobs":null,"#
                + #""finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"#
                + #""total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}}"#)
    }

    @Test func streamedCompletion_isTextFinishAndUsage() throws {
        let encoder = CompletionEncoder(
            OpenAISupport.identity(.completion), includesUsage: true)
        let token = AnswerToken(bytes: Array("é".utf8), logprob: -1)
        var bytes: [UInt8] = []
        let offset = encoder.appendText(
            Array("é".utf8), logprobs: [token], offset: 3, choice: 1, to: &bytes)
        encoder.appendFinish(.length, choice: 1, to: &bytes)
        encoder.appendUsage(TokenUsage(promptTokens: 1, completionTokens: 2), to: &bytes)
        let events = try OpenAISupport.events(bytes)
        #expect(offset == 4)
        #expect(events[0].at("choices.0.text") == .text("é"))
        #expect(events[0].at("choices.0.index") == .integer(1))
        #expect(events[0].at("choices.0.logprobs.text_offset") == .list([.integer(3)]))
        #expect(events[0].at("usage") == .null)
        #expect(events[1].at("choices.0.text") == .text(""))
        #expect(events[1].at("choices.0.finish_reason") == .text("length"))
        #expect(events[2].at("choices") == .list([]))
        #expect(events[2].at("usage.total_tokens") == .integer(3))
    }

    @Test func legacyLogProbabilities_nameCutCharactersByBytes() {
        let tokens = [
            AnswerToken(
                bytes: Array("ab".utf8), logprob: -1,
                alternatives: [
                    .init(bytes: Array("ab".utf8), logprob: -1),
                    .init(bytes: [0xe2, 2], logprob: -2),
                    .init(bytes: Array("ab".utf8), logprob: -3),
                ]),
            AnswerToken(bytes: Array("c".utf8), logprob: .nan),
        ]
        var bytes: [UInt8] = []
        let end = AnswerToken.appendLegacy(tokens, from: 0, to: &bytes)
        #expect(end == 3)
        #expect(
            text(bytes)
                == #"{"tokens":["ab","c"],"token_logprobs":[-1.0,-9999.0],"top_logprobs":"#
                + #"[{"ab":-1.0,"bytes:\\xe2\\x02":-2.0},{}],"text_offset":[0,2]}"#)
    }

    @Test func models_areListed() {
        let models = [
            ListedModel(id: "a", created: 5, contextTokens: 2048), ListedModel(id: "b", created: 6),
        ]
        #expect(
            text(ListedModel.list(models))
                == #"{"object":"list","data":[{"id":"a","object":"model","created":5,"#
                + #""owned_by":"martlet","max_model_len":2048},{"id":"b","object":"model","#
                + #""created":6,"owned_by":"martlet"}]}"#)
        #expect(text(ListedModel.list([])) == #"{"object":"list","data":[]}"#)
        #expect(text(models[1].json).hasPrefix(#"{"id":"b""#))
        let adapter = ListedModel(id: "l", created: 5, contextTokens: nil, parent: "a")
        #expect(text(adapter.json).hasSuffix(#""owned_by":"martlet","parent":"a"}"#))
    }

    @Test func embeddings_areNumbersOrBase64() {
        let numbers = EmbeddingAnswer.encode(
            [[1, -0.5], []], as: .float, model: "m", promptTokens: 3)
        #expect(
            text(numbers)
                == #"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"#
                + #"[1.0,-0.5]},{"object":"embedding","index":1,"embedding":[]}],"model":"m","#
                + #""usage":{"prompt_tokens":3,"total_tokens":3}}"#)
        let packed = EmbeddingAnswer.encode([[1, -0.5]], as: .base64, model: "m", promptTokens: 3)
        #expect(text(packed).contains(#""embedding":"AACAPwAAAL8=""#))
    }

    @Test func tokens_areWrittenForClientsOfEitherServer() {
        #expect(
            text(TokenizeAnswer.encode([5, 6], contextTokens: 99))
                == #"{"tokens":[5,6],"count":2,"max_model_len":99}"#)
        #expect(
            text(TokenizeAnswer.encode([5, 6], pieces: [[97], [0xe2]], contextTokens: 99))
                == #"{"tokens":[{"id":5,"piece":"a"},{"id":6,"piece":[226]}],"count":2,"#
                + #""max_model_len":99}"#)
        #expect(text(TokenizeAnswer.encode(text: [97])) == #"{"content":"a","prompt":"a"}"#)
    }

    @Test func ranks_areSortedAndCut() throws {
        func answer(_ members: String, _ scores: [Float]) throws -> JSONValue {
            let request = try RerankRequest(
                decoding: OpenAISupport.body(
                    #""model": "m", "query": "q", "documents": ["a", "b", "c"]"#, members),
                limits: Limits())
            return try OpenAISupport.parse(
                RerankAnswer.encode(
                    OpenAISupport.identity(.rerank), request: request, scores: scores,
                    promptTokens: 2))
        }
        let ranked = try answer(#""return_documents": true"#, [0.5, .nan, 0.5])
        #expect(ranked.at("results.0.index") == .integer(0))
        #expect(ranked.at("results.0.document.text") == .text("a"))
        #expect(ranked.at("results.1.index") == .integer(2))
        #expect(ranked.at("results.2.relevance_score") == .null)
        #expect(ranked.at("usage.total_tokens") == .integer(2))
        let cut = try answer(#""top_n": 1"#, [1, 3, 2])
        #expect(cut.at("results.0.index") == .integer(1))
        #expect(cut.at("results.1") == nil)
        #expect(cut.at("results.0.document") == nil)
    }
}
