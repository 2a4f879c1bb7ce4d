import MartletCore
import MartletEngines
import MartletTensors
import Testing

@testable import MartletModelServer
@testable import MartletTransport

@Suite("Requests for text while they are answered")
struct GenerationSessionTests {
    private static let chat =
        #"{"model":"m","messages":[{"role":"user","content":"a"}]"#

    @Test func whole_answer_hasAllChoicesAndTheUsageOfAll() throws {
        let run = try GenerationSessionRun(Self.chat + #","n":2,"seed":7}"#)
        #expect(run.model.requests.map(\.sampling.seed) == [7, 8])
        #expect(run.model.requests.map(\.sequences) == [2, 2])
        run.model.say("b", to: 1)
        run.model.say("a1")
        run.model.finish(1, .length, tokens: 1)
        #expect(run.outcome == nil)
        run.model.say("a2")
        run.model.finish(0)
        let json = try run.json()
        #expect(json.at("choices.0.message.content") == .text("a1a2"))
        #expect(json.at("choices.0.finish_reason") == .text("stop"))
        #expect(json.at("choices.1.message.content") == .text("b"))
        #expect(json.at("choices.1.finish_reason") == .text("length"))
        #expect(json.at("usage.prompt_tokens") == .integer(5))
        #expect(json.at("usage.completion_tokens") == .integer(3))
        #expect(json.at("usage.prompt_tokens_details.cached_tokens") == .integer(3))
    }

    @Test func stream_beginsWithTheFirstTokenAndEndsWithDone() throws {
        let run = try GenerationSessionRun(
            Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#)
        #expect(run.outcome == nil)
        run.model.say("a")
        var (events, end) = try run.events()
        #expect(events.count == 2)
        #expect(events[0].at("choices.0.delta.role") == .text("assistant"))
        #expect(events[1].at("choices.0.delta.content") == .text("a"))
        #expect(end == nil)
        run.model.finish()
        (events, end) = try run.events()
        #expect(events[0].at("choices.0.finish_reason") == .text("stop"))
        #expect(events[1].at("usage.total_tokens") == .integer(7))
        #expect(events[2] == .text("[DONE]"))
        #expect(end == .complete)
    }

    @Test func stopSequence_endsTheChoiceAndIsNotShown() throws {
        let run = try GenerationSessionRun(Self.chat + #","stop":["END"]}"#)
        run.model.say("abE")
        run.model.say("ND and more")
        #expect(run.model.cancelled == [GenerationID(number: 1): .stop])
        run.model.say("late")
        run.model.finish()
        let json = try run.json()
        #expect(json.at("choices.0.message.content") == .text("ab"))
        #expect(json.at("choices.0.finish_reason") == .text("stop"))
    }

    @Test func stopSequence_isWhyItEnds_whateverTheModelSaysThen() throws {
        for reason in [FinishReason.length, .deadline, .cancelled] {
            let run = try GenerationSessionRun(Self.chat + #","stop":["END"]}"#)
            run.model.say("ab")
            run.model.say("END")
            run.model.finish(0, reason)
            let json = try run.json()
            #expect(json.at("choices.0.message.content") == .text("ab"))
            #expect(json.at("choices.0.finish_reason") == .text("stop"))
        }
    }

    @Test func failureBeforeTheFirstToken_hasAStatusOfItsOwn() throws {
        let run = try GenerationSessionRun(Self.chat + #","stream":true,"n":2}"#)
        run.model.fail(0, ServingError(.internal, "broken"))
        #expect(run.error()?.message == "broken")
        #expect(run.model.cancelled[GenerationID(number: 2)] == .cancelled)
    }

    @Test func failureBehindTheFirstToken_isAnEvent() throws {
        let run = try GenerationSessionRun(Self.chat + #","stream":true}"#)
        run.model.say("a")
        run.model.fail(0, ServingError(.internal, "broken"))
        let (events, end) = try run.events()
        #expect(events.last?.at("error.message") == .text("broken"))
        #expect(end == .complete)
    }

    @Test func refusal_endsWhatWasTaken_andSaysWhenToTryAgain() throws {
        let full = GenerationRefusal(
            ServingError(.resourceExhausted, "full"), retryAfter: .seconds(3))
        let run = try GenerationSessionRun(Self.chat + #","n":2}"#) { $0.refuse(from: 1, full) }
        #expect(run.error()?.code == .resourceExhausted)
        let error = try #require(run.error())
        #expect(HTTPResponse.openAI(error).headers.first("retry-after") == "3")
        #expect(run.model.cancelled == [GenerationID(number: 1): .cancelled])
    }

    @Test func requestThatIsTurnedAwayWhileItWaits_isToldWhenToTryAgain() throws {
        let run = try GenerationSessionRun(Self.chat + "}")
        let gone = ServingError(.unavailable, "gone")
        let refusal = GenerationRefusal(gone, retryAfter: .seconds(4))
        run.model.fail(0, ServingError(.unavailable, "gone", cause: refusal))
        let answer = HTTPResponse.openAI(try #require(run.error()))
        #expect(answer.status == 503)
        #expect(answer.headers.first("retry-after") == "4")
    }

    @Test func clientThatHangsUp_endsAllChoices() throws {
        let run = try GenerationSessionRun(Self.chat + #","n":2}"#)
        run.cancellation.cancel()
        #expect(run.model.cancelled.count == 2)
        run.model.finish(0, .cancelled)
        #expect(run.error()?.code == .cancelled)
    }

    @Test func clientThatHangsUpBetweenChoices_endsWhatWasTaken_andAsksForNoMore() throws {
        let run = try GenerationSessionRun(Self.chat + #","n":3}"#, hangsUpWhenAsked: true)
        #expect(run.model.requests.count == 1)
        #expect(run.model.cancelled == [GenerationID(number: 1): .cancelled])
        #expect(run.error()?.code == .cancelled)
    }

    @Test func choiceThatFailsBeforeTheOthersAreAskedFor_endsAll() throws {
        let run = try GenerationSessionRun(Self.chat + #","n":3}"#) { model in
            model.whenTaken { [unowned model] in
                model.fail(0, ServingError(.internal, "broken"))
            }
        }
        #expect(run.model.requests.count == 1)
        #expect(run.error()?.message == "broken")
    }

    @Test(.timeLimit(.minutes(10))) func clientThatHangsUpAsItGetsAStream_endsTheChoice() throws {
        let run = try GenerationSessionRun(Self.chat + #","stream":true}"#, hangsUp: true)
        run.model.say("a")
        #expect(run.model.cancelled == [GenerationID(number: 1): .cancelled])
        let (_, end) = try run.events()
        #expect(end == .complete)
    }

    @Test func clientThatReadsTooSlowly_isToldOrCutOff() throws {
        // There is room for the error, or for nothing more.
        for (bytes, end) in [(4096, ContentStream.End.complete), (500, ContentStream.End.aborted)] {
            let run = try GenerationSessionRun(
                Self.chat + #","stream":true}"#, streamBytesMax: bytes)
            run.model.say("a")
            run.model.say(String(repeating: "b", count: 5000))
            #expect(run.model.cancelled == [GenerationID(number: 1): .cancelled])
            run.model.finish(0, .cancelled)
            let (events, seen) = try run.events()
            #expect(seen == end)
            let isTold = events.last?.at("error.message") != nil
            #expect(isTold == (end == .complete))
            #expect(!events.contains(.text("[DONE]")))
        }
    }

    @Test func clientWithoutRoomForTheUsage_isCutOff() throws {
        func stream(_ bytesMax: Int) throws -> (bytes: Int, end: ContentStream.End?) {
            let run = try GenerationSessionRun(
                Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#,
                streamBytesMax: bytesMax)
            run.model.say("a")
            run.model.finish()
            let response = try #require(run.outcome).get()
            let (pieces, end) = try #require(response.stream).take()
            return (pieces.reduce(0) { $0 + $1.count }, end)
        }
        let whole = try stream(1 << 16)
        #expect(whole.end == .complete)
        let cut = try stream(whole.bytes - 1)
        #expect(cut.bytes < whole.bytes)
        #expect(cut.end == .aborted)
    }

    @Test func modelThatIsUnloaded_andDeadline_areErrors() throws {
        var run = try GenerationSessionRun(Self.chat + "}")
        run.model.finish(0, .cancelled)
        #expect(run.error()?.code == .unavailable)
        run = try GenerationSessionRun(Self.chat + "}")
        run.model.finish(0, .deadline)
        #expect(run.error()?.code == .deadlineExceeded)
    }

    @Test func toolCall_isReadOfTheText() throws {
        let chat = PlainChat(isPlain: false)
        let run = try GenerationSessionRun(Self.chat + "}", chat: chat)
        run.model.say(#"so !{"x""#)
        run.model.say(": 1}")
        run.model.finish()
        let json = try run.json()
        #expect(json.at("choices.0.message.content") == .text("so "))
        #expect(json.at("choices.0.message.tool_calls.0.function.name") == .text("f"))
        #expect(
            json.at("choices.0.message.tool_calls.0.function.arguments") == .text(#"{"x": 1}"#))
        #expect(json.at("choices.0.finish_reason") == .text("tool_calls"))
    }

    @Test func toolCall_comesInPieces() throws {
        let run = try GenerationSessionRun(
            Self.chat + #","stream":true}"#, chat: PlainChat(isPlain: false))
        run.model.say(#"so !{"x""#)
        run.model.say(": 1}")
        run.model.finish()
        let (events, _) = try run.events()
        let deltas = events.compactMap { $0.at("choices.0.delta.tool_calls.0") }
        #expect(deltas.count == 2)
        #expect(deltas.first?.at("function.name") == .text("f"))
        #expect(deltas.first?.at("function.arguments") == .text(#"{"x""#))
        #expect(deltas.last?.at("function.arguments") == .text(": 1}"))
        #expect(deltas.last?.at("id") == nil)
    }

    @Test func completions_haveAChoiceForEachPrompt_withItsEcho() throws {
        let run = try GenerationSessionRun(
            #"{"model":"m","prompt":["ab","cd"],"echo":true,"n":2}"#, path: .completions)
        #expect(run.model.requests.count == 4)
        for choice in 0..<4 {
            run.model.say("\(choice)", to: choice)
            run.model.finish(choice, tokens: 1)
        }
        let json = try run.json()
        #expect(json.at("choices.0.text") == .text("ab0"))
        #expect(json.at("choices.3.text") == .text("cd3"))
        #expect(json.at("usage.prompt_tokens") == .integer(10))
        #expect(json.at("usage.completion_tokens") == .integer(4))
    }

    @Test func moreAnswersThanTheQueueHolds_areRefusedForGood() throws {
        _ = try GenerationSessionRun(Self.chat + #","n":4}"#, sequencesMax: 4)
        var error = OpenAISupport.failure {
            _ = try GenerationSessionRun(Self.chat + #","n":5}"#, sequencesMax: 4)
        }
        #expect(error?.code == .invalidArgument)
        #expect(OpenAISupport.param(error) == "n")
        #expect(error?.message.contains("5") == true)
        #expect(error?.message.contains("4") == true)
        error = OpenAISupport.failure {
            _ = try GenerationSessionRun(
                #"{"model":"m","prompt":["a","b"]}"#, path: .completions, sequencesMax: 1)
        }
        #expect(OpenAISupport.param(error) == "prompt")
    }

    /// However often they were tried.
    @Test func promptsThatTheQueueNeverHolds_areRefusedForGood() throws {
        let body = #"{"model":"m","prompt":["ab","cd"],"n":2}"#
        _ = try GenerationSessionRun(body, path: .completions, queuedTokensMax: 8)
        let error = OpenAISupport.failure {
            _ = try GenerationSessionRun(body, path: .completions, queuedTokensMax: 7)
        }
        #expect(error?.code == .invalidArgument)
        #expect(OpenAISupport.param(error) == "n")
        #expect(error?.message.contains("8 tokens; the model's queue holds 7") == true)
        // One that is alone is the queue's to refuse.
        _ = try GenerationSessionRun(
            #"{"model":"m","prompt":"ab"}"#, path: .completions, queuedTokensMax: 1)
    }

    @Test func promptBeyondTheContext_isRefusedWithBothNumbers() throws {
        let text = String(repeating: "x", count: 101)
        let error = OpenAISupport.failure {
            _ = try GenerationSessionRun(#"{"model":"m","prompt":"\#(text)"}"#, path: .completions)
        }
        #expect(error?.message.contains("101") == true)
        #expect(error?.message.contains("100") == true)
        #expect(OpenAISupport.code(error) == "context_length_exceeded")
    }
}
