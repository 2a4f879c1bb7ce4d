import Foundation
import MartletCore
import Testing

@testable import MartletRepository

@Suite("Descriptions of GGUF models")
struct GGUFDescriptionTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func describe(_ sample: GGUFSample) throws -> GGUFDescription {
        try folder.write(Data(sample.bytes()), to: "1/model.gguf")
        return try GGUFDescription(folder: "\(folder.path)/1")
    }

    @Test func aModel_saysWhatItIs() throws {
        let model = try describe(.model)
        #expect(model.files == ["\(folder.path)/1/model.gguf"])
        #expect(model.fileBytes == GGUFSample.model.bytes().count)
        #expect(model.architecture == "llama")
        #expect(model.name == "Tiny")
        #expect(model.parameterCount == 160)
        #expect(model.contextLength == 2048)
        #expect(model.embeddingLength == 32)
        #expect(model.layerCount == 2)
        #expect(model.headCounts == [8, 8])
        #expect(model.keyValueHeadCounts == [2, 2])
        #expect(model.vocabularySize == 4)
        #expect(model.tokenizerModel == "gpt2")
        #expect(model.beginningToken == 0)
        #expect(model.endToken == 1)
        #expect(model.chatTemplate == "{{ messages }}")
        #expect(model.quantization == "Q4_1")
        let bytes = model.tensorBytes.map { "\($0.key.name): \($0.value)" }.sorted()
        #expect(bytes == ["F32: 128", "Q4_1: 80"])
        #expect(model.weightBytes == 208)
        // Two layers of two heads, each with a key and a value of 32 / 8 elements of two bytes.
        #expect(model.keyValueBytesPerToken == 2 * 2 * (4 + 4) * 2)
        #expect(model.memoryBytes(tokens: 10) == 208 + 640)
        #expect(model.memoryBytes(tokens: .max) == .max)
        #expect(!model.embeds)
    }

    @Test func headsOfStatedLengths_andByLayer_count() throws {
        let model = try describe(
            .edited {
                $0.set("llama.attention.head_count_kv", .list(of: 4, [.uint32(0), .uint32(3)]))
                $0.set("llama.attention.key_length", .uint32(64))
                $0.set("llama.attention.value_length", .uint32(16))
            })
        #expect(model.keyValueHeadCounts == [0, 3])
        #expect(model.keyValueBytesPerToken == 3 * (64 + 16) * 2)
    }

    @Test func keyValueHeads_areAsManyAsHeads_whereNotStated() throws {
        let model = try describe(.edited { $0.set("llama.attention.head_count_kv", nil) })
        #expect(model.keyValueHeadCounts == [8, 8])
    }

    @Test func aModelWithoutAttention_needsNoMemoryForTokens() throws {
        let model = try describe(
            .edited {
                $0.set("llama.attention.head_count", nil)
                $0.set("llama.attention.head_count_kv", nil)
            })
        #expect(model.keyValueBytesPerToken == 0)
    }

    @Test(arguments: [
        ("llama.pooling_type", GGUFSample.Value.uint32(1), true),
        ("llama.pooling_type", .uint32(0), false),
        ("llama.attention.causal", .bool(false), true),
        ("llama.attention.causal", .bool(true), false),
    ])
    func aModelThatPoolsOrSeesWhatFollows_embeds(
        key: String, value: GGUFSample.Value, embeds: Bool
    ) throws {
        let model = try describe(.edited { $0.set(key, value) })
        #expect(model.embeds == embeds)
    }

    @Test func whatIsLeftOut_isNone() throws {
        let model = try describe(
            .edited { sample in
                sample.keys.removeAll {
                    $0.key.hasPrefix("tokenizer") || $0.key == "general.name"
                        || $0.key == "general.file_type"
                }
                sample.set("llama.vocab_size", .uint32(9))
            })
        #expect(model.name == nil)
        #expect(model.tokenizerModel == nil)
        #expect(model.beginningToken == nil)
        #expect(model.endToken == nil)
        #expect(model.chatTemplate == nil)
        #expect(model.vocabularySize == 9)
        // The type of most bytes.
        #expect(model.quantization == "F32")
    }

    @Test func aTokenOutsideOfTheVocabulary_isNone() throws {
        let model = try describe(.edited { $0.set("tokenizer.ggml.eos_token_id", .uint32(4)) })
        #expect(model.endToken == nil)
        #expect(model.beginningToken == 0)
    }

    @Test func furtherTemplates_haveTheirNames() throws {
        let model = try describe(
            .edited { $0.set("tokenizer.chat_template.tool_use", .text("{{ tools }}")) })
        #expect(model.namedChatTemplates == ["tool_use": "{{ tools }}"])
        #expect(model.chatTemplate == "{{ messages }}")
    }

    @Test(arguments: [
        ("general.type", GGUFSample.Value.text("adapter"), "of type 'adapter', not a model"),
        ("general.architecture", nil, "'general.architecture' is missing"),
        ("general.architecture", .text(""), "'general.architecture' is missing"),
        ("general.architecture", .uint32(1), "'general.architecture' is a whole number, not text"),
        (
            "general.name", GGUFSample.Value(type: 8, bytes: GGUFSample.text([0xFF])),
            "'general.name' is a text that is not UTF-8, not text"
        ),
        ("llama.context_length", nil, "'llama.context_length' is missing or 0"),
        ("llama.context_length", .uint32(.max), "0 to 2147483647 are possible"),
        ("llama.embedding_length", .uint32(0), "'llama.embedding_length' is missing or 0"),
        ("llama.block_count", .uint32(513), "'llama.block_count' is 513; 0 to 512 are possible"),
        ("llama.block_count", .int32(-1), "'llama.block_count' is -1"),
        ("llama.block_count", .uint64(.max), "is a number beyond 63 bits"),
        ("llama.attention.head_count", .uint32(1 << 25), "0 to 16777216 are possible"),
        ("llama.attention.head_count", .list(of: 4, [.uint32(8)]), "has 1 numbers for 2 layers"),
        (
            "llama.attention.head_count", .list(of: 5, [.int32(8), .int32(-8)]),
            "'llama.attention.head_count' holds -8"
        ),
        ("llama.attention.head_count", .float32(8), "is a number, not a whole number"),
        ("llama.nextn_predict_layers", .uint32(3), "0 to 2 are possible"),
        ("llama.pooling_type", .uint32(5), "'llama.pooling_type' is 5; 0 to 4 are possible"),
        ("llama.expert_count", .uint32(1025), "0 to 1024 are possible"),
        ("llama.expert_count", .uint32(8), "8 experts of which 0 are used"),
        ("llama.expert_used_count", .uint32(2), "0 experts of which 2 are used"),
        ("llama.expert_group_count", .uint32(2), "in 2 groups, cannot be"),
        ("llama.rope.scaling.type", .text("odd"), "is 'odd', which is none of linear"),
        ("tokenizer.ggml.tokens", .list(of: 4, []), "is not a list of texts"),
        ("tokenizer.ggml.tokens", .text("a"), "is text, not a list"),
        (
            "tokenizer.ggml.tokens", .texts(["<s>", "</s>", "a", "a"]),
            "token 3 in the list of key 'tokenizer.ggml.tokens' has the text of one before it"
        ),
        (
            "tokenizer.ggml.scores", .list(of: 6, [.float32(0)]),
            "'tokenizer.ggml.scores' does not hold a number for each of the 4 tokens"
        ),
        (
            "tokenizer.ggml.token_type", .list(of: 0, (0..<4).map { .uint8($0) }),
            "'tokenizer.ggml.token_type' does not hold a number"
        ),
        ("tokenizer.chat_template", .texts([]), "is a list of 0, not text"),
    ])
    func aModelThatNoEngineCanTake_isRefusedForThat(
        key: String, value: GGUFSample.Value?, complaint: String
    ) {
        let error = #expect(throws: ServingError.self) {
            try describe(.edited { $0.set(key, value) })
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(complaint) == true, "\(String(describing: error))")
        #expect(error?.message.contains("/1/model.gguf") == true)
    }

    @Test(arguments: [
        (experts: 8, used: 2, groups: 0, usedGroups: 0, isSound: true),
        (8, 2, 4, 2, true), (8, 9, 0, 0, false), (8, 2, 8, 1, false), (8, 2, 3, 1, false),
        (8, 2, 4, 4, false), (8, 2, 4, 0, false), (0, 0, 0, 0, true),
    ])
    func experts_areHeldAgainstWhatEnginesAssert(
        experts: Int, used: Int, groups: Int, usedGroups: Int, isSound: Bool
    ) {
        let sample = GGUFSample.edited {
            $0.set("llama.expert_count", .uint32(UInt32(experts)))
            $0.set("llama.expert_used_count", .uint32(UInt32(used)))
            $0.set("llama.expert_group_count", .uint32(UInt32(groups)))
            $0.set("llama.expert_group_used_count", .uint32(UInt32(usedGroups)))
        }
        #expect(((try? describe(sample)) != nil) == isSound)
    }

    @Test func aVocabularyWithoutTensors_isNoModel() {
        let error = #expect(throws: ServingError.self) { try describe(.edited { $0.tensors = [] }) }
        #expect(error?.message.contains("it has no tensors") == true)
    }

    @Test func aFileThatIsCutOff_isDataLoss() throws {
        try folder.write(Data(GGUFSample.model.bytes().dropLast()), to: "1/model.gguf")
        let error = #expect(throws: ServingError.self) {
            try GGUFDescription(folder: "\(folder.path)/1")
        }
        #expect(error?.code == .dataLoss)
        #expect(error?.message.hasSuffix("Is the model's copy complete?") == true)
    }

    @Test func aFileThatIsNone_isRefusedAtOnce() throws {
        try folder.makeFolder("model.gguf")
        #expect(mkfifo("\(folder.path)/pipe.gguf", 0o600) == 0)
        for (name, code) in [
            ("absent.gguf", StatusCode.notFound), ("model.gguf", .invalidArgument),
            ("pipe.gguf", .invalidArgument),
        ] {
            let error = #expect(throws: ServingError.self) {
                try GGUFDescription(file: "\(folder.path)/\(name)")
            }
            #expect(error?.code == code, "\(name)")
        }
    }

    @Test func aLinkOutOfTheBasePath_isRefusedUnlessAllowed() throws {
        let elsewhere = try TemporaryFolder()
        try elsewhere.write(Data(GGUFSample.model.bytes()), to: "model.gguf")
        try folder.makeFolder("1")
        try folder.makeLink("1/model.gguf", to: "\(elsewhere.path)/model.gguf")
        let path = "\(folder.path)/1"
        #expect(throws: ServingError.self) { try GGUFDescription(folder: path) }
        let allowed = ModelSafety(allowsLinksOutside: true)
        #expect(try GGUFDescription(folder: path, safety: allowed).name == "Tiny")
    }
}
