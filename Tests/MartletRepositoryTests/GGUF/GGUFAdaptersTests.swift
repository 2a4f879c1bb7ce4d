import Foundation
import MartletCore
import Testing

@testable import MartletRepository

@Suite("LoRA adapters beside GGUF models")
struct GGUFAdaptersTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// An adapter of one matrix of 32 by 16, of rank 4.
    private static let sample = GGUFSample(
        keys: [
            ("general.type", .text("adapter")),
            ("general.architecture", .text("llama")),
            ("adapter.type", .text("lora")),
            ("adapter.lora.alpha", .float32(8)),
        ],
        tensors: [
            GGUFSample.Tensor("blk.0.attn_q.weight.lora_a", [32, 4], offset: 0),
            GGUFSample.Tensor("blk.0.attn_q.weight.lora_b", [4, 16], offset: 512),
        ], dataBytes: 768)

    private func adapters(_ sample: GGUFSample) throws -> GGUFAdapters {
        try folder.write(Data(sample.bytes()), to: "1/adapters/kind.gguf")
        return try GGUFAdapters(folder: "\(folder.path)/1")
    }

    @Test func anAdapter_hasTheNameOfItsFile() throws {
        let path = "\(folder.path)/1/adapters/kind.gguf"
        #expect(try adapters(GGUFAdaptersTests.sample).paths == ["kind": path])
        #expect(GGUFAdapters.names(folder: "\(folder.path)/1") == ["kind"])
        #expect(GGUFAdapters.names(folder: "\(folder.path)/2") == [])
    }

    @Test(arguments: [
        ("general.type", GGUFSample.Value.text("model"), "of type 'model', not an adapter"),
        ("general.type", nil, "of type '', not an adapter"),
        ("general.architecture", nil, "'general.architecture' is missing"),
        ("general.architecture", .uint32(1), "'general.architecture' is a whole number, not text"),
        ("adapter.type", .text("ia3"), "'adapter.type' is 'ia3', not 'lora'"),
        ("adapter.type", .uint32(1), "'adapter.type' is a whole number, not text"),
        ("adapter.lora.alpha", .float64(8), "'adapter.lora.alpha' is a number, not one of 32 bits"),
        ("adapter.lora.alpha", .uint32(8), "'adapter.lora.alpha' is a whole number"),
    ])
    func keysThatEnginesEndTheProcessFor_areRefused(
        key: String, value: GGUFSample.Value?, complaint: String
    ) {
        var sample = GGUFAdaptersTests.sample
        sample.set(key, value)
        expectRefusal(of: sample, complaint)
    }

    @Test func tensorsThatEnginesEndTheProcessFor_areRefused() {
        typealias Tensor = GGUFSample.Tensor
        let first = "blk.0.attn_q.weight.lora_a"
        for (tensor, complaint) in [
            (Tensor(first, [32, 4], type: 26, offset: 0), "is of I32, which is none of BF16"),
            (Tensor(first, [32, 3], offset: 0), "of [32, 3] and [4, 16] elements, do not fit"),
            (Tensor(first, [8, 4, 2], offset: 0), "do not fit together"),
            (Tensor(first, [32], offset: 0), "do not fit together"),
            (Tensor("blk.1.attn_q.weight.lora_a", [32, 4], offset: 0), "one half of a pair only"),
            (Tensor("blk.0.attn_q.weight", [32, 4], offset: 0), "ends in neither '.lora_a' nor"),
        ] {
            var sample = GGUFAdaptersTests.sample
            sample.tensors[0] = tensor
            expectRefusal(of: sample, complaint)
        }
        var empty = GGUFAdaptersTests.sample
        empty.tensors = [Tensor("blk.0.attn_norm.weight", [32], offset: 0)]
        expectRefusal(of: empty, "it changes no tensor")
    }

    @Test func embeddingsAndExperts_haveFormsOfTheirOwn() throws {
        var embedding = GGUFAdaptersTests.sample
        embedding.tensors = [
            GGUFSample.Tensor("token_embd.weight.lora_a", [4, 32], offset: 0),
            GGUFSample.Tensor("token_embd.weight.lora_b", [4, 16], offset: 512),
        ]
        #expect(try adapters(embedding).paths.count == 1)
        var experts = GGUFAdaptersTests.sample
        experts.tensors = [
            GGUFSample.Tensor("blk.0.ffn_up_exps.weight.lora_a", [16, 4, 2], offset: 0),
            GGUFSample.Tensor("blk.0.ffn_up_exps.weight.lora_b", [4, 8, 2], offset: 512),
        ]
        #expect(try adapters(experts).paths.count == 1)
        experts.tensors[1].sizes = [4, 16, 1]
        expectRefusal(of: experts, "do not fit together")
    }

    private func expectRefusal(of sample: GGUFSample, _ complaint: String) {
        let error = #expect(throws: ServingError.self) { try adapters(sample) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(complaint) == true, "\(String(describing: error))")
        #expect(error?.message.contains("adapters/kind.gguf") == true)
    }
}
