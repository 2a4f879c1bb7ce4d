import Foundation
import MartletCore
import MartletProtocols
import SwiftProtobuf
import Testing

@testable import MartletRepository

private typealias ModelServerConfig = Tensorflow_Serving_ModelServerConfig

@Suite("Protobuf text file")
struct ProtobufTextFileTests {
    @Test func modelConfig_withCommentsSeparatorsAndEveryPolicy_isRead() throws {
        let config = try ProtobufTextFile.parse(
            """
            # Models.
            model_config_list: {
              config: {
                name: "a", base_path: '/models/' "a"; model_platform: "tensorflow"
                model_version_policy { specific { versions: 3 versions: 5 } }
                version_labels { key: "stable" value: 3 }
                logging_config { sampling_config { sampling_rate: .5 } }
              },
              config < name: "b" model_type: TENSORFLOW model_version_policy { all {} } >
              config: [{ name: "c" model_version_policy: { latest: { num_versions: 2 } } }]
            }
            """, as: ModelServerConfig.self)
        let models = config.modelConfigList.config
        #expect(models.map(\.name) == ["a", "b", "c"])
        #expect(models[0].basePath == "/models/a")
        #expect(models[0].modelVersionPolicy.specific.versions == [3, 5])
        #expect(models[0].versionLabels == ["stable": 3])
        #expect(models[0].loggingConfig.samplingConfig.samplingRate == 0.5)
        #expect(models[1].modelVersionPolicy.policyChoice == .all(.init()))
        #expect(models[2].modelVersionPolicy.latest.numVersions == 2)
    }

    @Test(arguments: [
        ("improperly formatted file", "1:12: Expected \":\" after field \"improperly\""),
        (
            "model_config_lst {}",
            "1:1: Message type \"tensorflow.serving.ModelServerConfig\" has no field named "
                + "\"model_config_lst\"."
        ),
        (
            "model_config_list {\n  config {\n    nmae: \"a\"\n  }\n}",
            "3:5: \"model_config_list.config\" has no field named \"nmae\"."
        ),
        (
            "model_config_list { config { name: 'é' model_type: TORCH } config { naem: 1 } }",
            "1:52: Unknown enumeration value of \"TORCH\" for field \"model_type\"."
        ),
        (
            "model_config_list { config [{ name: 'a' }, { nme: 'b' }] }",
            "1:46: \"model_config_list.config\" has no field named \"nme\"."
        ),
        (
            "model_config_list { config { version_labels { key: 'a' value: b } } }",
            "1:45: Field \"version_labels\" has an entry that cannot be read: a number was expected."
        ),
        // Beginnings of the entries of a map are refused, and must not be taken for the mistake.
        (
            "model_config_list { config { version_labels { key: 'a' value: 1 } nmae: 'a' } }",
            "1:67: \"model_config_list.config\" has no field named \"nmae\"."
        ),
        ("model_config_list { config { name: 7 } }", "1:36: Field \"name\" cannot have the value"),
        (
            "model_config_list {}\ncustom_model_config {}",
            "2:21: Field \"custom_model_config\" is specified along with another member"
        ),
        ("model_config_list { config { name: 'a' }", "1:41: Expected a field name, found the end"),
        ("model_config_list { config { name: 'a\n' } }", "1:36: String literals cannot cross"),
        ("model_config_list { config { name: } }", "1:36: Expected a value, found \"}\"."),
        ("model_config_list { config [ {} {} ] }", "1:33: Expected \",\" or \"]\", found \"{\"."),
        // What comes first is told, whether a word or a bracket is wrong.
        ("nonsense: 1\nmodel_config_list {", "1:1: Message type"),
        ("}", "1:1: Expected a field name, found \"}\"."),
    ])
    func mistake_isToldWithLineAndColumn(text: String, expected: String) throws {
        let error = try #require(throws: ServingError.self) {
            try ProtobufTextFile.parse(text, as: ModelServerConfig.self)
        }
        #expect(error.code == .invalidArgument)
        let prefix = "Error parsing text-format tensorflow.serving.ModelServerConfig: "
        #expect(error.message.hasPrefix(prefix + expected), "\(error.message)")
    }

    @Test func mistake_inAMessageOfAMap_isFound() throws {
        let error = try #require(throws: ServingError.self) {
            try ProtobufTextFile.parse(
                "platform_configs {\n key: 'a'\n value {\n  source: 1\n } }",
                as: Tensorflow_Serving_PlatformConfigMap.self)
        }
        #expect(
            error.message.hasSuffix(
                "4:3: \"platform_configs.value\" has no field named \"source\"."),
            "\(error.message)")
    }

    @Test func mistake_inALongFile_isFound() throws {
        let model = "  config { name: \"a\" base_path: \"/a\" }\n"
        let text =
            "model_config_list {\n" + String(repeating: model, count: 5000)
            + "  config { nmae: \"b\" }\n" + String(repeating: model, count: 5000) + "}"
        let error = try #require(throws: ServingError.self) {
            try ProtobufTextFile.parse(text, as: ModelServerConfig.self)
        }
        #expect(error.message.contains(": 5002:12: "), "\(error.message)")
    }

    @Test func nesting_beyondTheLimit_isRefused() throws {
        let text = String(repeating: "allowed_values <", count: 10_000)
        #expect(throws: ServingError.self) {
            try ProtobufTextFile.parse(text, as: ModelServerConfig.self)
        }
        let anys =
            "custom_model_config "
            + String(repeating: "{ [type.googleapis.com/google.protobuf.Any] ", count: 200) + "{}"
            + String(repeating: "}", count: 200)
        #expect(throws: ServingError.self) {
            try ProtobufTextFile.parse(anys, as: ModelServerConfig.self)
        }
    }

    @Test func platformConfig_withItsSettingsWrittenOut_isRead() throws {
        let type = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"
        let config = try ProtobufTextFile.parse(
            """
            platform_configs {
              key: "tensorflow"
              value { source_adapter_config {
                [\(type)] {
                  legacy_config { batching_parameters { max_batch_size { value: 8 } } }
                }
              } }
            }
            """, as: Tensorflow_Serving_PlatformConfigMap.self)
        let any = try #require(config.platformConfigs["tensorflow"]).sourceAdapterConfig
        let adapter = try Tensorflow_Serving_SavedModelBundleSourceAdapterConfig(unpackingAny: any)
        #expect(adapter.legacyConfig.batchingParameters.maxBatchSize.value == 8)
    }

    @Test func sessionConfig_withNestedSettings_isRead() throws {
        let config = try ProtobufTextFile.parse(
            """
            intra_op_parallelism_threads: 2
            gpu_options { experimental { virtual_devices { memory_limit_mb: [1, 2] } } }
            graph_options { rewrite_options { custom_optimizers {
              name: "x" parameter_map { key: "k" value { list { i: [1, 2] } } } } } }
            """, as: Tensorflow_ConfigProto.self)
        #expect(config.intraOpParallelismThreads == 2)
        #expect(config.gpuOptions.experimental.virtualDevices[0].memoryLimitMb == [1, 2])
    }

    @Test func file_isNamedInTheError() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/models.config"
        try folder.write("x: 1", to: "models.config")
        let error = try #require(throws: ServingError.self) {
            try ProtobufTextFile.read(path, as: ModelServerConfig.self)
        }
        #expect(
            error.message.hasPrefix("Invalid protobuf file: '\(path)': Error parsing text-format"))
        let limited = try #require(throws: ServingError.self) {
            try ProtobufTextFile.read(path, as: ModelServerConfig.self, maximumBytes: 3)
        }
        #expect(limited.message.hasSuffix("it is larger than 3 bytes"))
        try folder.write(Data([0x22, 0xFF]), to: "models.config")
        let binary = try #require(throws: ServingError.self) {
            try ProtobufTextFile.read(path, as: ModelServerConfig.self)
        }
        #expect(binary.message.hasSuffix("ModelServerConfig: 1:2: it is not text in UTF-8"))
    }

    @Test func file_thatIsMissing_isNotFound() throws {
        let error = try #require(throws: ServingError.self) {
            try ProtobufTextFile.read("/nowhere/x", as: ModelServerConfig.self)
        }
        #expect(error.code == .notFound)
        #expect(error.message == "/nowhere/x; No such file or directory")
        let folder = try #require(throws: ServingError.self) {
            try ProtobufTextFile.read("/", as: ModelServerConfig.self)
        }
        #expect(folder.message == "/ is a folder, and a file is needed")
    }
}
