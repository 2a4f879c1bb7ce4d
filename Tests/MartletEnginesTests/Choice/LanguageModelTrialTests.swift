import MartletCore
import MartletTestKit
import Testing

@testable import MartletEngines

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
        let steady = SlowLanguageModel(pause: .milliseconds(60))
        let alone = SlowLanguageModel(pause: .milliseconds(-59), pauseEach: .milliseconds(60))
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
        let (fast, slow) = (SlowLanguageModel(), SlowLanguageModel(pause: .milliseconds(300)))
        let record = try LanguageModelTrial().run(fast, against: slow)
        #expect(record.agreement == 1)
        #expect(record.decisive.other > record.decisive.reference)
        let different = try LanguageModelTrial().run(SlowLanguageModel(offset: 2), against: fast)
        #expect(different.agreement == 0)
    }

    @Test func queueOfOne_isNoBoundOnATrial() throws {
        let narrow = SlowLanguageModel(
            pause: .milliseconds(1), takes: { $0.isExemptFromQueueLimit || $1 < 1 })
        #expect(try LanguageModelTrial().run(narrow, against: narrow).agreement == 1)
    }

    @Test func engineThatFails_isTheError() {
        let fault = ServingError(.internal, "broken")
        let error = #expect(throws: ServingError.self) {
            try LanguageModelTrial().run(
                SlowLanguageModel(fault: fault), against: SlowLanguageModel())
        }
        #expect(error?.message == "broken")
    }
}
