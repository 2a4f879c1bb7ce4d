import Foundation
import MartletCore
import Testing

@testable import MartletEngines

/// OpenVINO GenAI, where set-up has installed it.
private enum GenAIFixture {
    static let folder = SetUp.folder(
        OpenVINOGenAIInstallation.pathVariable, ".engines/openvino-genai")

    static let isInstalled = (try? OpenVINOGenAIInstallation(directory: folder)) != nil

    static func artifact(_ change: (inout LanguageModelFiles) -> Void = { _ in }) -> ModelArtifact {
        var files = LanguageModelFiles(path: LlamaFixture.path, cellBytes: 23_040)
        change(&files)
        return ModelArtifact(
            id: ServableID(model: "smollm2", version: 1), path: "/", format: .gguf, tags: [],
            signatures: [], fileBytes: 1, language: files)
    }

    static func load() throws -> any GenerativeModel {
        var options = OpenVINOGenAIEngine.Options()
        options.language.contextTokens = 512
        options.language.memoryTokens = 8192
        options.language.threads = 2
        let engine = OpenVINOGenAIEngine(
            installation: try OpenVINOGenAIInstallation(directory: folder),
            library: try LlamaFixture.library.get(), options: options)
        return try #require(try engine.load(artifact()) as? any GenerativeModel)
    }
}

// Among the engines, one after the other: others measure the memory of the process.
extension EngineTests {
    @Suite(
        "OpenVINO GenAI", .serialized, .timeLimit(.minutes(10)),
        .enabled(
            if: GenAIFixture.isInstalled,
            "OpenVINO GenAI is not installed: run scripts/setup.sh openvino-genai"))
    struct GenAIServableTests {
        private func generate(
            _ prompt: [TokenID], most: Int, by model: any GenerativeModel,
            _ change: (inout GenerationRequest) -> Void = { _ in }
        ) async throws -> GenerationListener {
            let listener = GenerationListener()
            var request = GenerationRequest(prompt: prompt, newTokensMax: most)
            request.sampling.temperature = 0
            change(&request)
            _ = try model.submit(request) { listener.take($0) }
            #expect([.stop, .length].contains(try await listener.end()))
            return listener
        }

        @Test func chat_isAnsweredAsTheModelKnows() async throws {
            let model = try GenAIFixture.load()
            defer { model.unload() }
            let chat = try model.render(
                ChatPrompt(
                    messages: """
                        [{"role": "user", "content": "What is the capital of France?"}]
                        """, now: 0))
            let prompt = try model.tokenize(
                chat.prompt, addsBeginning: false, parsesSpecial: true)
            let first = try await generate(prompt, most: 32, by: model) {
                $0.sampling.logprobs = 0
            }
            #expect(first.text.contains("Paris"))
            #expect(first.tokens.allSatisfy { ($0.logprobs?.logprob ?? 1) <= 0 })
            // Whole blocks alone are kept, and the prompt fills one at least.
            let again = try await generate(prompt, most: 32, by: model)
            #expect((again.cached ?? 0) >= min(32, prompt.count - 1) / 32 * 32)
            #expect(again.ids == first.ids)
            #expect(model.description.contextTokensMax == 512)
            #expect(model.description.chatTemplate != nil)
            #expect(model.description.generates)
        }

        @Test func seed_makesTheChoiceRepeatable() async throws {
            let model = try GenAIFixture.load()
            defer { model.unload() }
            let prompt = try model.tokenize(
                "Once upon a time", addsBeginning: false, parsesSpecial: false)
            func text(_ seed: UInt64) async throws -> [TokenID] {
                try await generate(prompt, most: 12, by: model) {
                    $0.sampling.temperature = 1
                    $0.sampling.seed = seed
                }.ids
            }
            // What comes from the cache differs a little from what was computed.
            _ = try await text(1)
            let first = try await text(1)
            #expect(try await text(2) != first)
            #expect(try await text(1) == first)
        }

        @Test func trial_findsTheEnginesAlike() throws {
            let model = try GenAIFixture.load()
            defer { model.unload() }
            let engine = try LlamaEngine(library: try LlamaFixture.library.get())
            let reference = try engine.load(GenAIFixture.artifact())
            defer { reference.unload() }
            let known = try #require(reference as? any GenerativeModel)
            let record = try LanguageModelTrial().run(model, against: known)
            // Which is faster depends on the machine.
            #expect(record.agreement >= LanguageModelTrial.leastAgreement)
            for pace in [record.decisive, record.aside] {
                #expect(pace.other > 0 && pace.reference > 0)
            }
        }
    }

    @Suite("What OpenVINO GenAI loads")
    struct GenAIFilesTests {
        private func refusal(
            _ change: (inout LanguageModelFiles) -> Void
        ) -> ServingError? {
            var files = LanguageModelFiles(path: "/model.gguf", cellBytes: 1)
            change(&files)
            return #expect(throws: ServingError.self) { try OpenVINOGenAIEngine.check(files) }
        }

        @Test func whatItCannotLoad_isRefusedByName() {
            #expect(refusal { $0.weightTypes = ["F32", "Q4_K"] }?.message.contains("Q4_K") == true)
            #expect(refusal { $0.partCount = 3 }?.message.contains("3 parts") == true)
            let adapters = refusal { $0.adapters = ["a": "/a.gguf"] }
            #expect(adapters?.message.contains("LoRA") == true)
            #expect(adapters?.code == .unimplemented)
        }

        @Test func weightsThatItKnows_arePassed() throws {
            try OpenVINOGenAIEngine.check(
                LanguageModelFiles(
                    path: "/model.gguf", cellBytes: 1, weightTypes: ["F32", "Q4_0", "Q8_0"]))
        }

        @Test func folderWithoutIt_saysHowToInstallIt() {
            let error = #expect(throws: ServingError.self) {
                try OpenVINOGenAIInstallation(directory: "/nowhere")
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("scripts/setup.sh openvino-genai") == true)
        }
    }
}
