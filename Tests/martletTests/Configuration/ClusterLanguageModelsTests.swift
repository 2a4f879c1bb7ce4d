import ArgumentParser
import MartletConfiguration
import MartletEngines
import Testing

@testable import martlet

@Suite("Language models of a cluster's configuration")
struct ClusterLanguageModelsTests {
    private func read(_ members: String) throws -> ClusterLanguageModels {
        try ClusterConfiguration.parse(
            "model_root: /m\nlanguage_models: {\(members)}", file: "/etc/cluster/cluster.yaml",
            processors: 8, isFolder: { _ in true }
        ).languageModels
    }

    @Test func everyKey_isAFlagThatNodesTake() throws {
        let found = try read(
            """
            llama_path: llama, context_tokens: 8192, kv_cache: 4GiB, kv_layout: split,
              max_sequences: 16, max_waiting_sequences: 8, step_tokens: 256, prompt_share: 0.5,
              draft_tokens: 4, draft_max: 6, draft_min_probability: 0.5, llama_threads: 2,
              gpu_layers: all, tensor_split: "3,1", decode_stall_seconds: 30,
              openvino_genai_path: genai, rpc_devices: ["10.0.0.7:50052", "10.0.0.8:50052"]
            """)
        #expect(found.arguments.count == ClusterLanguageModels.keys.count + 1)
        let flags = try LanguageModelFlags.parse(found.arguments)
        #expect(flags.llamaPath == "/etc/cluster/llama")
        #expect(flags.openvinoGenAIPath == "/etc/cluster/genai")
        #expect(flags.gpuLayers.count == nil)
        #expect(flags.tensorSplit.shares == [3, 1])
        #expect(flags.decodeStallLimit == .seconds(30))
        let options = flags.options(engineThreads: 1)
        #expect(options.contextTokens == 8192)
        #expect(options.memoryBytes == 4 << 30)
        #expect(options.layout == .split)
        #expect(options.sequences == 16)
        #expect(options.waitingMax == 8)
        #expect(options.stepTokens == 256)
        #expect(options.promptShare == 0.5)
        #expect(options.draftTokens == 4)
        #expect(options.draftMax == 6)
        #expect(options.draftMinProbability == 0.5)
        #expect(options.threads == 2)
        #expect(options.remoteDevices == ["10.0.0.7:50052", "10.0.0.8:50052"])
    }

    @Test func absentKeys_areNoFlags() throws {
        #expect(try read("").arguments == [])
        #expect(try read("gpu_layers: 12").arguments == ["--gpu-layers=12"])
    }

    @Test(arguments: [
        ("max_sequences: 65", "max_sequences: 65 is out of range"),
        ("kv_cache: much", "kv_cache: 'much' is not a number of bytes such as 4GiB"),
        ("kv_layout: round", "kv_layout: 'round' is not one of auto, unified, split"),
        ("prompt_share: 0", "prompt_share: '0' is not a number above 0, up to 1"),
        ("prompt_share: nan", "prompt_share: 'nan' is not a number above 0, up to 1"),
        ("draft_max: 0", "draft_max: 0 is out of range"),
        (
            "draft_min_probability: 2",
            "draft_min_probability: '2' is not a number from 0 to 1"
        ),
        ("gpu_layers: most", "gpu_layers: 'most' is not a number of layers, or all"),
        ("tensor_split: half", "tensor_split: 'half' is not numbers such as 3,1"),
        ("rpc_devices: 10.0.0.7", "rpc_devices: expected a list of 1 to 64 machines"),
        ("rpc_devices: [here]", "rpc_devices[0]: 'here' is no machine"),
        ("max_sequence: 4", "max_sequence: unknown key; did you mean 'max_sequences'?"),
    ])
    func valueWithoutSense_isRefused(members: String, message: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try read(members) }
        #expect("\(error)".contains("language_models.\(message)"))
    }
}
