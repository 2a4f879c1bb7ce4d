import Foundation
import Testing

@testable import MartletRepository

/// A GGUF model that the world uses, where set-up or the environment has brought one.
private enum RealModel {
    /// The variable that names a SmolLM2-135M-Instruct in Q4_1.
    static let variable = "MARTLET_SMOLLM2"

    static let path: String? = [
        ProcessInfo.processInfo.environment[variable],
        ".models/smollm2/1/model.gguf",
    ].compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
}

@Suite("SmolLM2", .enabled(if: RealModel.path != nil))
struct GGUFRealModelTests {
    @Test func smolLM2_saysWhatItIs() throws {
        let model = try GGUFDescription(file: try #require(RealModel.path))
        #expect(model.architecture == "llama")
        #expect(model.parameterCount == 134_515_008)
        #expect(model.contextLength == 8192)
        #expect(model.embeddingLength == 576)
        #expect(model.layerCount == 30)
        #expect(model.headCounts == Array(repeating: 9, count: 30))
        #expect(model.keyValueHeadCounts == Array(repeating: 3, count: 30))
        #expect(model.keyValueBytesPerToken == 30 * 3 * (64 + 64) * 2)
        #expect(model.vocabularySize == 49_152)
        #expect(model.tokenizerModel == "gpt2")
        #expect(model.quantization == "Q4_1")
        #expect(model.chatTemplate?.contains("<|im_start|>") == true)
        #expect(model.weightBytes < model.fileBytes)
    }
}
