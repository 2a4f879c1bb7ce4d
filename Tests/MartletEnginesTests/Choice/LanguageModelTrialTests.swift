import Foundation
import MartletCore
import Testing

@testable import MartletEngines

/// Says `offset` behind the last token, by a thread of its own for each request, so slowly.
private final class StandInModel: GenerativeModel {
    let id = ServableID(model: "m", version: 1)
    let description = GenerativeModelDescription(
        contextTokensMax: 64, vocabularySize: 1000, embeddingSize: 0)
    let memoryBytes = 0
    let load = GenerationLoad()
    let offset: TokenID
    let pause: Duration
    let fault: ServingError?

    init(offset: TokenID = 1, pause: Duration = .zero, fault: ServingError? = nil) {
        self.offset = offset
        self.pause = pause
        self.fault = fault
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
        let (last, most) = (request.prompt.last ?? 0, request.newTokensMax ?? 1)
        // A trial waits on a thread of the concurrency pool, which may have no other.
        Thread.detachNewThread { [offset, pause, fault] in
            Thread.sleep(forTimeInterval: pause.seconds)
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
        LanguageModelTrial.Record(agreement: agreement, other: other, reference: 100)
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
    }

    @Test func trial_seesWhichIsFasterAndWhoSaysOtherwise() throws {
        let (fast, slow) = (StandInModel(), StandInModel(pause: .milliseconds(300)))
        let record = try LanguageModelTrial().run(fast, against: slow)
        #expect(record.agreement == 1)
        #expect(record.other > record.reference)
        let different = try LanguageModelTrial().run(StandInModel(offset: 2), against: fast)
        #expect(different.agreement == 0)
    }

    @Test func engineThatFails_isTheError() {
        let fault = ServingError(.internal, "broken")
        let error = #expect(throws: ServingError.self) {
            try LanguageModelTrial().run(StandInModel(fault: fault), against: StandInModel())
        }
        #expect(error?.message == "broken")
    }
}
