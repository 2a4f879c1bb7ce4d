import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletEngines

/// Says `offset` behind the last token, by a thread of its own for each request, so slowly; and the
/// slower the more run at once.
private final class StandInModel: GenerativeModel {
    let id = ServableID(model: "m", version: 1)
    let description = GenerativeModelDescription(
        contextTokensMax: 64, vocabularySize: 1000, embeddingSize: 0)
    let memoryBytes = 0
    let load = GenerationLoad()
    let offset: TokenID
    let pause: Duration
    /// As many times the number of those that run before it, and it, are added.
    let pauseEach: Duration
    let fault: ServingError?
    /// Most requests of clients that run at once; others are refused.
    let waitingMax: Int
    private let running = Atomic<Int>(0)

    init(
        offset: TokenID = 1, pause: Duration = .zero, pauseEach: Duration = .zero,
        fault: ServingError? = nil, waitingMax: Int = .max
    ) {
        self.offset = offset
        self.pause = pause
        self.pauseEach = pauseEach
        self.fault = fault
        self.waitingMax = waitingMax
    }

    func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) -> [TokenID] {
        text.utf8.map { TokenID($0) }
    }

    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) -> [UInt8] { [] }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        throw ServingError(.unimplemented, "no chats")
    }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        guard request.isExemptFromQueueLimit || running.load(ordering: .relaxed) < waitingMax else {
            throw GenerationRefusal(ServingError(.resourceExhausted, "The queue is full"))
        }
        let (last, most) = (request.prompt.last ?? 0, request.newTokensMax ?? 1)
        let place = running.wrappingAdd(1, ordering: .relaxed).newValue
        // A trial waits on a thread of the concurrency pool, which may have no other.
        Thread.detachNewThread { [self] in
            Thread.sleep(forTimeInterval: (pause + pauseEach * place).seconds)
            running.wrappingSubtract(1, ordering: .relaxed)
            if let fault {
                onEvent(.failed(fault, GenerationUsage()))
                return
            }
            for step in 1...most {
                let token = last + offset * TokenID(step)
                onEvent(.token(GeneratedToken(id: token, bytes: [])))
            }
            onEvent(.finished(.length, GenerationUsage()))
        }
        return GenerationID(number: 1)
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {}
    func unload() {}
}

struct LanguageModelTrialTests {
    private func choice(_ agreement: Double, _ other: Double) -> EngineChoice {
        LanguageModelTrial.Record(
            agreement: agreement,
            decisive: .init(sequences: 8, other: other, reference: 100),
            aside: .init(sequences: 1, other: 61, reference: 100)
        )
        .verdict(engine: "openvino", reference: "llama")
    }

    @Test func fasterAndAlike_isChosen() {
        #expect(choice(0.9, 150).engine == "openvino")
        #expect(choice(0.9, 150).reason == .faster)
        #expect(choice(0.9, 150).speedup == 1.5)
        #expect(choice(0.9, 109).engine == "llama")
        #expect(choice(0.9, 109).reason == .slower)
        #expect(choice(0.4, 500).engine == "llama")
        #expect(choice(0.4, 500).reason == .wrong)
        #expect(
            choice(0.9, 150).detail
                == "openvino against llama: 1.5 x with 8 sequences (0.61 x with 1 sequence), "
                + "90 % of the tokens alike")
    }

    @Test func eachFasterSomewhere_isAPair() {
        func pairing(_ agreement: Double, alone: Double, many: Double) -> EngineChoice? {
            let paces: [LanguageModelTrial.Record.Pace] = [
                .init(sequences: 1, other: alone, reference: 100),
                .init(sequences: 8, other: many, reference: 100),
            ]
            let records = [
                LanguageModelTrial.Record(
                    agreement: agreement, decisive: paces[1], aside: paces[0]),
                LanguageModelTrial.Record(
                    agreement: agreement, decisive: paces[0], aside: paces[1]),
            ]
            let choices = records.map { $0.pairing(engine: "openvino", reference: "llama") }
            // Which pace decides is of no account.
            #expect(choices[0]?.engine == choices[1]?.engine)
            return choices[0]
        }
        #expect(pairing(0.6, alone: 61, many: 150)?.engine == "llama+openvino")
        #expect(pairing(0.6, alone: 61, many: 150)?.reason == .both)
        #expect(pairing(0.6, alone: 61, many: 109) == nil)
        #expect(pairing(0.6, alone: 100, many: 150) == nil)
        #expect(pairing(0.4, alone: 61, many: 150) == nil)
    }

    @Test func expectedConcurrency_saysWhichPaceDecides() throws {
        #expect(LanguageModelTrial().decisive == 8)
        #expect(LanguageModelTrial().aside == 1)
        #expect(LanguageModelTrial(expectedConcurrency: 1).aside == 8)
        #expect(LanguageModelTrial(expectedConcurrency: 500).decisive == 32)
        // One sequence takes 60 ms or 1, four take 60 or 181.
        let steady = StandInModel(pause: .milliseconds(60))
        let alone = StandInModel(pause: .milliseconds(-59), pauseEach: .milliseconds(60))
        let many = try LanguageModelTrial(expectedConcurrency: 4).run(steady, against: alone)
        #expect(many.decisive.sequences == 4)
        #expect(many.decisive.speedup > 1)
        #expect(many.aside.sequences == 1)
        #expect(many.aside.speedup < 1)
        let one = try LanguageModelTrial(expectedConcurrency: 1).run(steady, against: alone)
        #expect(one.decisive.sequences == 1)
        #expect(one.verdict(engine: "openvino", reference: "llama").reason == .slower)
    }

    @Test func trial_seesWhichIsFasterAndWhoSaysOtherwise() throws {
        let (fast, slow) = (StandInModel(), StandInModel(pause: .milliseconds(300)))
        let record = try LanguageModelTrial().run(fast, against: slow)
        #expect(record.agreement == 1)
        #expect(record.decisive.other > record.decisive.reference)
        let different = try LanguageModelTrial().run(StandInModel(offset: 2), against: fast)
        #expect(different.agreement == 0)
    }

    @Test func queueOfOne_isNoBoundOnATrial() throws {
        let narrow = StandInModel(pause: .milliseconds(1), waitingMax: 1)
        #expect(try LanguageModelTrial().run(narrow, against: narrow).agreement == 1)
    }

    @Test func engineThatFails_isTheError() {
        let fault = ServingError(.internal, "broken")
        let error = #expect(throws: ServingError.self) {
            try LanguageModelTrial().run(StandInModel(fault: fault), against: StandInModel())
        }
        #expect(error?.message == "broken")
    }
}
