import MartletCore
import Testing

@testable import MartletEngines

struct GenAIMessagesTests {
    private func message(_ text: String) throws -> GenAIMessage {
        try GenAIMessage(line: Array(text.utf8))
    }

    @Test func messages_areReadAsTheWorkerWritesThem() throws {
        #expect(
            try message(#"{"ready":{"protocol":1,"version":"2026.4"}}"#)
                == .ready(protocolNumber: 1, version: "2026.4"))
        let step = try message(
            #"{"step":[[7,[504],[-0.5],"length"],[8,[1,2],[],null]],"cache":0.25}"#)
        let results = [
            GenAIResult(id: GenerationID(number: 7), tokens: [504], logprobs: [-0.5], end: .length),
            GenAIResult(id: GenerationID(number: 8), tokens: [1, 2]),
        ]
        #expect(step == .step(results, cacheUsage: 0.25))
        #expect(
            try message(#"{"refused":[9,"too much"]}"#)
                == .refused(GenerationID(number: 9), "too much"))
        #expect(
            try message(#"{"failed":[9,"no number"]}"#)
                == .failed(GenerationID(number: 9), "no number"))
        #expect(try message(#"{"fatal":"no memory"}"#) == .fatal("no memory"))
    }

    @Test(arguments: [
        "", "{}", "[]", "step", #"{"step":[[7]]}"#, #"{"step":[[7,[504],[],"tired"]]}"#,
        #"{"step":[[-1,[504],[],null]]}"#, #"{"step":[[1,[99999999999],[],null]]}"#,
        #"{"ready":{"version":"1"}}"#, #"{"refused":["x",1]}"#, #"{"failed":[1]}"#,
        #"{"step":[[7,[504],[NaN],null]]}"#, #"{"step":[[7,[504],[-Infinity],null]]}"#,
    ])
    func whatIsNoMessage_isAnError(_ text: String) {
        let error = #expect(throws: ServingError.self) { try message(text) }
        #expect(error?.code == .internal)
    }

    @Test func submission_saysWhatTheEngineTakes() throws {
        var request = GenerationRequest(prompt: [5, 6], newTokensMax: 9)
        request.sampling.topP = 0
        request.sampling.minP = 1
        request.sampling.temperature = 0.5
        request.sampling.seed = 3
        request.sampling.logprobs = 0
        request.stopTokens = [11]
        let terms = SequenceTerms(request, deadline: nil, contextTokensMax: 64, group: 0)
        let sequence = ScheduledSequence(
            id: GenerationID(number: 4), terms: terms, tokens: request.prompt, draftTokens: 0)
        let submission = GenAISubmission(sequence, endTokens: [2])
        #expect(submission.prompt == [5, 6])
        #expect(submission.tokens == 9)
        #expect(submission.ends == [2, 11])
        // Nothing at all and everything are no values of the engine's.
        #expect(submission.topP > 0)
        #expect(submission.minP < 1)
        #expect(submission.seed == 3)
        #expect(submission.logprobs)
        let line = try GenAICommand.submit(submission).line()
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(line.count { $0 == UInt8(ascii: "\n") } == 1)
        let cancel = try GenAICommand.cancel(GenerationID(number: 4)).line()
        #expect(String(decoding: cancel, as: UTF8.self) == "{\"cancel\":4}\n")
    }

    @Test func greedy_hasNoTemperature() {
        var request = GenerationRequest(prompt: [5])
        request.sampling.topK = 1
        let terms = SequenceTerms(request, deadline: nil, contextTokensMax: 64, group: 0)
        let sequence = ScheduledSequence(
            id: GenerationID(number: 4), terms: terms, tokens: [5], draftTokens: 0)
        #expect(GenAISubmission(sequence, endTokens: []).temperature == 0)
    }

    @Test func lines_arePutTogetherOutOfPieces() {
        var lines = LineAssembler(bytesMax: 8)
        #expect(lines.take(Array("ab".utf8))?.isEmpty == true)
        let whole = lines.take(Array("c\n\nd\nef".utf8)) ?? []
        #expect(whole.map { String(decoding: $0, as: UTF8.self) } == ["abc", "", "d"])
        #expect(lines.take(Array("g\n".utf8))?.map { $0.count } == [3])
        #expect(lines.take(Array("123456789".utf8)) == nil)
    }
}
