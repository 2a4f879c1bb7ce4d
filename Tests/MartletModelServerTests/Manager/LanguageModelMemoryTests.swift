import Foundation
import Logging
import MartletCore
import MartletEngines
import Testing

@testable import MartletModelServer

@Suite("Memory of language models before they are loaded")
struct LanguageModelMemoryTests {
    /// An engine that says what it will take.
    private struct WeighingEngine: Engine {
        static let workingBytes = 1 << 20

        let name = "weighing"

        func workingBytes(of artifact: ModelArtifact) -> Int {
            artifact.language?.sizes.contextTokens == 64 ? WeighingEngine.workingBytes : 0
        }

        func load(_ artifact: ModelArtifact) throws -> any Servable {
            FakeServable(id: artifact.id)
        }
    }

    private let storage: ModelStorage
    private let file = TinyGGUF.bytes

    init() throws { storage = try ModelStorage() }

    private func makeManager(
        budget: Int, _ file: Data? = nil, preference: EnginePreference = .automatic
    ) throws -> ModelManager {
        try storage.write("m", 1, "model.gguf", file ?? self.file)
        var options = ModelManager.Options()
        options.loadsOnDemand = true
        options.memoryBudget = budget
        var loading = VersionLoader.Options()
        loading.engines.preference = preference
        let engines = EngineRegistry(
            [.gguf: { WeighingEngine() }], language: [.openvino: { WeighingEngine() }])
        let manager = ModelManager(
            loader: VersionLoader(engines: engines, options: loading),
            options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        manager.configure([storage.configuration("m")])
        manager.update([storage.directory("m")])
        return manager
    }

    private func demand(_ manager: ModelManager) async -> ServingError? {
        await withCheckedContinuation { continuation in
            manager.demand(model: "m") { continuation.resume(returning: $0) }
        }
    }

    @Test func budgetThatHoldsTheFileAlone_isTooSmall() async throws {
        let needed = file.count + WeighingEngine.workingBytes
        let failure = await demand(try makeManager(budget: needed - 1))
        #expect(failure?.code == .resourceExhausted)
        #expect(failure?.message.contains("\(needed) bytes") == true)
    }

    @Test func budgetThatHoldsAll_isEnough() async throws {
        let needed = file.count + WeighingEngine.workingBytes
        #expect(await demand(try makeManager(budget: needed)) == nil)
    }

    @Test func whatTwoEnginesMayKeep_countsTwice() async throws {
        let needed = 2 * (file.count + WeighingEngine.workingBytes)
        let failure = await demand(try makeManager(budget: needed - 1, preference: .both))
        #expect(failure?.code == .resourceExhausted)
        #expect(failure?.message.contains("\(needed) bytes") == true)
        #expect(await demand(try makeManager(budget: needed, preference: .both)) == nil)
    }

    /// One engine alone knows encoders.
    @Test func encoders_countOnceWhateverIsWanted() async throws {
        let encoder = TinyGGUF.file(pooling: 1)
        let needed = encoder.count + WeighingEngine.workingBytes
        #expect(await demand(try makeManager(budget: needed, encoder, preference: .both)) == nil)
    }

    @Test func aFileThatIsBroken_saysSoRatherThanThatItIsTooLarge() async throws {
        let manager = try makeManager(budget: 1 << 30)
        try storage.write("m", 1, "model.gguf", file.prefix(100))
        #expect(await demand(manager)?.code == .dataLoss)
    }
}

/// A GGUF model whose header is sound: one layer, and two tokens of 32 numbers.
enum TinyGGUF {
    static var bytes: Data { file(pooling: 0) }

    /// The same; an encoder if its file says how vectors are pooled, 1 or more.
    static func file(pooling: UInt32) -> Data {
        var numbers: [(String, UInt32)] = [
            ("llama.context_length", 64), ("llama.embedding_length", 32), ("llama.block_count", 1),
            ("llama.attention.head_count", 4),
        ]
        if pooling > 0 { numbers.append(("llama.pooling_type", pooling)) }
        var data = Data("GGUF".utf8) + little(UInt32(3)) + little(UInt64(1))
        data += little(UInt64(numbers.count + 2))
        data += text("general.architecture") + little(UInt32(8)) + text("llama")
        for (key, number) in numbers { data += text(key) + little(UInt32(4)) + little(number) }
        data += text("tokenizer.ggml.tokens") + little(UInt32(9)) + little(UInt32(8))
        data += little(UInt64(2)) + text("a") + text("b")
        data += text("token_embd.weight") + little(UInt32(2)) + little(UInt64(32))
        data += little(UInt64(2)) + little(UInt32(0)) + little(UInt64(0))
        data += Data(count: (32 - data.count % 32) % 32)
        return data + Data(count: 32 * 2 * 4)
    }

    private static func text(_ text: String) -> Data { little(UInt64(text.utf8.count)) + text.utf8 }

    private static func little<Number: FixedWidthInteger>(_ number: Number) -> Data {
        withUnsafeBytes(of: number.littleEndian) { Data($0) }
    }
}
