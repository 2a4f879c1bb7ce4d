import Foundation
import MartletCore
import Testing

@testable import MartletRepository

@Suite("GGUF models that do not generate")
struct GGUFArchitectureTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// The sample as a model of another architecture.
    private func describe(
        _ architecture: String, _ change: (inout GGUFSample) -> Void = { _ in }
    ) throws -> GGUFDescription {
        var sample = GGUFSample.model
        sample.keys = sample.keys.map { key, value in
            (key.replacingOccurrences(of: "llama.", with: "\(architecture)."), value)
        }
        sample.set("general.architecture", .text(architecture))
        change(&sample)
        try folder.write(Data(sample.bytes()), to: "1/model.gguf")
        return try GGUFDescription(folder: "\(folder.path)/1")
    }

    @Test(arguments: ["bert", "modern-bert", "gemma-embedding", "t5encoder"])
    func anEncoder_embeds_whateverItsFileSays(architecture: String) throws {
        #expect(try describe(architecture).embeds)
    }

    @Test(arguments: [
        ("t5", "an encoder with a decoder"), ("eagle3", "a draft for another model"),
        ("dflash", "a draft for another model"), ("llada", "a diffusion model"),
        ("dream", "a diffusion model"),
    ])
    func aModelThatNoNodeServes_isRefusedForItsKind(architecture: String, kind: String) throws {
        let model = try describe(architecture)
        let error = #expect(throws: ServingError.self) { try model.requireServable() }
        #expect(error?.code == .unimplemented)
        #expect(error?.message.contains("of architecture '\(architecture)', \(kind)") == true)
    }

    @Test(arguments: ["llama", "qwen3", "bert", "t5encoder"])
    func anyOther_isServed(architecture: String) throws {
        try describe(architecture).requireServable()
    }

    @Test(arguments: [
        (["embedding_length_out": UInt32(33)], "0 to 32 are possible"),
        (["dense_2_feat_in": 16, "dense_2_feat_out": 32], "of 32 numbers cannot become 32"),
        (["dense_2_feat_in": 32, "dense_2_feat_out": 16], "of 32 numbers cannot become 32"),
        (
            [
                "dense_2_feat_in": 32, "dense_2_feat_out": 64, "dense_3_feat_in": 65,
                "dense_3_feat_out": 32,
            ], "through layers of 32 to 64 and 65 to 32"
        ),
    ])
    func vectorsWithoutTheNumbersThatAreStated_areRefused(
        sizes: [String: UInt32], complaint: String
    ) {
        let error = #expect(throws: ServingError.self) {
            try describe("bert") { sample in
                for (key, value) in sizes { sample.set("bert.\(key)", .uint32(value)) }
            }
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(complaint) == true, "\(String(describing: error))")
    }

    @Test func vectorsThatGoThroughFurtherLayers_areTaken() throws {
        let shorter = try describe("bert") { sample in
            sample.set("bert.embedding_length_out", .uint32(16))
            sample.set("bert.dense_2_feat_in", .uint32(32))
            sample.set("bert.dense_2_feat_out", .uint32(16))
        }
        #expect(shorter.embeds)
        let wider = try describe("bert") { sample in
            sample.set("bert.dense_2_feat_in", .uint32(32))
            sample.set("bert.dense_2_feat_out", .uint32(64))
            sample.set("bert.dense_3_feat_in", .uint32(64))
            sample.set("bert.dense_3_feat_out", .uint32(32))
        }
        #expect(wider.embeds)
    }

    @Test func labelsThatNothingGivesANumberFor_areRefused() throws {
        let labels = (0..<33).map { "label \($0)" }
        func rank(hasHead: Bool) throws -> GGUFDescription {
            try describe("bert") { sample in
                sample.set("bert.pooling_type", .uint32(4))
                sample.set("bert.classifier.output_labels", .texts(labels))
                guard hasHead else { return }
                sample.tensors[1] = GGUFSample.Tensor("cls.output.weight", [32], offset: 96)
            }
        }
        #expect(try rank(hasHead: true).embeds)
        let error = #expect(throws: ServingError.self) { try rank(hasHead: false) }
        #expect(error?.message.contains("has 33 labels") == true)
    }
}
