import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Warm-up of a language model")
struct PromptWarmUpTests {
    private let storage: ModelStorage
    private let metrics = ServingMetrics()

    init() throws {
        storage = try ModelStorage()
        try storage.write("m", 1)
    }

    private static let chat =
        #"{"model": "m", "messages": [{"role": "system", "content": "Be brief."}]}"#

    private func warmUp(
        _ model: any Servable, _ file: String? = nil, options: WarmUpOptions = WarmUpOptions()
    ) throws {
        if let file { try storage.write("m", 1, PromptWarmUp.fileName, Data(file.utf8)) }
        let loaded = LoadedServable(
            servable: model, choice: EngineChoice(engine: "fake", reason: .only, detail: ""),
            signatureDefs: [:])
        try ModelWarmUp(
            options: options, limits: Limits(), metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).run(folder: "\(storage.path)/m/1", loaded: loaded)
        #expect(loaded.begin())
    }

    private func failure(
        _ file: String, _ model: any Servable = ScriptedModel(endsAtOnce: .length)
    ) throws -> ServingError {
        try #require(throws: ServingError.self) { try warmUp(model, file) }
    }

    @Test func promptsAreReadInOrder_andNextToNothingIsGenerated() throws {
        let model = ScriptedModel(endsAtOnce: .length)
        try warmUp(
            model,
            """
            {"model": "m", "prompt": ["one", "two"], "n": 3, "max_tokens": 90, "seed": 1}

            \(Self.chat)

            """)
        let prompts = model.requests.map { request in
            String(decoding: request.prompt.map { UInt8(clamping: $0) }, as: UTF8.self)
        }
        #expect(prompts == ["one", "two", "prompt"])
        #expect(model.requests.allSatisfy { $0.newTokensMax == 1 && $0.chat == nil })
        #expect(model.requests.allSatisfy { $0.usesPrefixCache && $0.sampling.seed == nil })
        let page = String(decoding: metrics.prometheusText(), as: UTF8.self)
        #expect(
            page.contains(
                ":tensorflow:serving:model_warmup_latency_count{model_path=\"\(storage.path)/m/1\""
                    + ",status=\"OK\"} 1"))
    }

    @Test func promptsAreOfTheTenantSaltAndAdapterThatTheirLineNames() throws {
        let model = ScriptedModel(adapters: ["polite"], endsAtOnce: .stop)
        try warmUp(
            model,
            #"{"model": "m:1:polite", "prompt": "a", "tenant": "alice", "cache_salt": "s"}"#
                + "\r\n"
                + #"{"model": "polite:2", "prompt": "b"}"#)
        #expect(model.requests.map(\.tenant) == ["alice", ""])
        #expect(model.requests.map(\.adapter) == ["polite", nil])
        var alice = GenerationStanding()
        alice.tenant = "alice"
        #expect(model.requests[0].cacheScope == alice.cacheScope(of: "s"))
        #expect(model.requests[1].cacheScope == nil)
    }

    @Test(arguments: [
        ("{}", "'model' is missing"), ("[1]", "it must be an object"), ("{", "JSON"),
        (#"{"model": "m"}"#, "'messages' is missing"),
        (#"{"model": "m", "prompt": 5}"#, "'prompt'"),
        (#"{"model": "m", "prompt": "a", "tenant": 5}"#, "'tenant' is 5"),
        (#"{"model": "m", "prompt": "\#(String(repeating: "a", count: 100))"}"#, "100"),
    ])
    func badLine_failsTheLoadByItsNumberAndARemedy(line: String, part: String) throws {
        let error = try failure("\(Self.chat)\n\(line)\n")
        #expect(error.code == .invalidArgument)
        #expect(error.message.hasPrefix("Line 2 of assets.extra/warmup_prompts.jsonl: "))
        #expect(error.message.contains(part))
        #expect(error.message.contains("--no-warm-up"))
    }

    @Test func tooManyPromptsAndTooLargeFiles_areRefused() throws {
        let many = Array(repeating: Self.chat, count: PromptWarmUp.promptsMax + 1)
        #expect(try failure(many.joined(separator: "\n")).message.hasPrefix("Line 257 of "))
        let large = String(repeating: "\n", count: PromptWarmUp.fileBytesMax + 1)
        #expect(try failure(large).message.contains("4194304 bytes"))
    }

    @Test func promptsThatAreNotRead_failTheLoad() throws {
        let late = try failure(Self.chat, ScriptedModel(endsAtOnce: .deadline))
        #expect(late.code == .deadlineExceeded)
        let gone = try failure(Self.chat, ScriptedModel(endsAtOnce: .cancelled))
        #expect(gone.code == .unavailable)
        let refusing = ScriptedModel()
        refusing.refuse(from: 0, GenerationRefusal(ServingError(.resourceExhausted, "full")))
        #expect(try failure(Self.chat, refusing).message.hasPrefix("Line 1 of "))
    }

    private func pair(_ first: ScriptedModel, _ second: ScriptedModel) -> PairedLanguageModel {
        PairedLanguageModel(alone: first, many: second, names: ("first", "second"))
    }

    /// Each engine remembers for itself, and clients that come together are the second one's.
    @Test func bothEnginesOfAModel_readThePrompts() throws {
        let (first, second) = (
            ScriptedModel(endsAtOnce: .length), ScriptedModel(endsAtOnce: .length)
        )
        try warmUp(pair(first, second), "\(Self.chat)\n{\"model\": \"m\", \"prompt\": \"one\"}")
        #expect(first.requests.count == 2)
        #expect(second.requests.map(\.prompt) == first.requests.map(\.prompt))
    }

    @Test func engineThatKeepsNothing_isSparedThePrompts() throws {
        let first = ScriptedModel(endsAtOnce: .length)
        let second = ScriptedModel(remembersPrompts: false, endsAtOnce: .length)
        try warmUp(pair(first, second), Self.chat)
        #expect(first.requests.count == 1 && second.requests.isEmpty)
    }

    @Test(arguments: [StatusCode.invalidArgument, .unavailable])
    func whatTheSecondEngineDoesNotTake_isLeftToTheFirst(code: StatusCode) throws {
        let (first, second) = (ScriptedModel(endsAtOnce: .length), ScriptedModel())
        second.refuse(from: 0, GenerationRefusal(ServingError(code, "no salts")))
        try warmUp(pair(first, second), Self.chat)
        #expect(first.requests.count == 1 && second.requests.isEmpty)
        let late = ScriptedModel(endsAtOnce: .deadline)
        #expect(try failure(Self.chat, pair(first, late)).code == .deadlineExceeded)
    }

    @Test func modelsThatDoNotGenerate_haveNoPrompts() throws {
        let embedder = ScriptedModel(generates: false, endsAtOnce: .stop)
        #expect(try failure(Self.chat, embedder).message.contains("for models that generate"))
    }

    @Test func tensorsOfAWarmUpFile_failNoLanguageModel() throws {
        try storage.write("m", 1, ModelWarmUp.fileName, Data([1, 2, 3]))
        let model = ScriptedModel(endsAtOnce: .length)
        try warmUp(model)
        #expect(model.requests.isEmpty)
    }

    @Test func nothingIsReadWhenWarmUpIsOff() throws {
        let model = ScriptedModel(endsAtOnce: .length)
        try warmUp(model, Self.chat, options: WarmUpOptions(isEnabled: false))
        try warmUp(model, Self.chat, options: WarmUpOptions(iterations: 0))
        #expect(model.requests.isEmpty)
    }
}
