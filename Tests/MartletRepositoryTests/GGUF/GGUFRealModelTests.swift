import Foundation
import Testing

@testable import MartletRepository

/// A GGUF model that the world uses, which set-up brings: SmolLM2-135M-Instruct in Q4_1.
private enum RealModel {
    static let folder =
        (ProcessInfo.processInfo.environment["MARTLET_LLM_MODELS"] ?? ".models")
        + "/smollm2-135m-q4_1/1"
}

@Suite("SmolLM2")
struct GGUFRealModelTests {
    @Test func smolLM2_saysWhatItIs() throws {
        let model = try GGUFDescription(folder: RealModel.folder)
        try model.requireServable()
        #expect(!model.embeds)
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
