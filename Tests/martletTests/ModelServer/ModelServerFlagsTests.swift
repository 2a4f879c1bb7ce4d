import ArgumentParser
import Foundation
import MartletCore
import MartletTransport
import Testing

@testable import martlet

@Suite("Model server flags")
struct ModelServerFlagsTests {
    @Test func names_areThoseThatTheParserKnows() throws {
        // Flags begin their lines in the help; texts may name other flags.
        let help = ModelServerFlags.helpMessage(columns: 200)
        let known = help.split(separator: "\n").compactMap { line in
            line.hasPrefix("  --") ? line.dropFirst(4).prefix { $0 != " " } : nil
        }
        #expect(
            Set(known.map(String.init))
                == ModelServerFlagNames.valued.union(ModelServerFlagNames.switches))
        #expect(ModelServerFlagNames.valued.isDisjoint(with: ModelServerFlagNames.switches))
        #expect(known.count == 49)
    }

    @Test func defaults_areThoseOfTensorFlowServing() throws {
        let flags = try ModelServerFlags.read([])
        let processors = ProcessInfo.processInfo.activeProcessorCount
        #expect(flags.port == 8500)
        #expect(flags.restApiPort == 0)
        #expect(flags.restApiNumThreads == 4 * processors)
        #expect(flags.restApiTimeoutInMs == 30_000)
        #expect(flags.modelName == "default")
        #expect(flags.maxNumLoadRetries == 5)
        #expect(flags.loadRetryInterval == .seconds(60))
        #expect(flags.versionPolling == .every(.seconds(1)))
        #expect(flags.savedModelTags == "serve")
        #expect(flags.numTflitePools == processors)
        #expect(flags.numTfliteInterpretersPerPool == 1)
        #expect(flags.flushFilesystemCaches && flags.enableModelWarmup && flags.enableProfiler)
        #expect(flags.removeUnusedFieldsFromBundleMetagraph)
        #expect(!flags.enableBatching && !flags.enableGrpcHealthcheckService)
        #expect(!flags.enableSignatureMethodNameCheck && !flags.preferTfliteModel)
        #expect(flags.warnings == [])
    }

    @Test func values_areRead_andTheLastOfAFlagCounts() throws {
        let flags = try ModelServerFlags.read([
            "--port=1", "--port", "2", "--model_base_path=/m", "--enable_batching",
            "--flush_filesystem_caches=false", "--per_process_gpu_memory_fraction=0.5",
            "--file_system_poll_wait_seconds=-1", "--load_retry_interval_micros=-5",
            "--model_config_file_poll_wait_seconds=7", "--model_config_file=",
        ])
        #expect(flags.port == 2)
        #expect(flags.modelBasePath == "/m")
        #expect(flags.enableBatching)
        #expect(!flags.flushFilesystemCaches)
        #expect(flags.perProcessGpuMemoryFraction == 0.5)
        #expect(flags.versionPolling == .never)
        #expect(flags.loadRetryInterval == .zero)
        #expect(flags.modelConfigFile == "")
        #expect(flags.modelConfigFilePollInterval == nil)
        #expect(try ModelServerFlags.read(["--version"]).isVersionWanted)
        #expect(throws: (any Error).self) { try ModelServerFlags.read(["--port=x"]) }
        #expect(throws: (any Error).self) { try ModelServerFlags.read(["--help"]) }
    }

    @Test(arguments: [
        (
            ["--rest_api_ssl", "--model_base_path=/m"],
            "--rest_api_ssl needs --ssl_config_file, which names the certificate and the key"
        ),
        (["--port=0", "--model_base_path=/m"], "At least one of server_options.grpc_port"),
        (
            ["--use_alts_credentials", "--ssl_config_file=/s", "--model_base_path=/m"],
            "Either use_alts_credentials must be false or ssl_config_file must be empty."
        ),
        (
            [],
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        ),
        (
            ["--model_base_path=/m", "--batching_parameters_file=/b"],
            "server_options.batching_parameters_file is set without setting "
                + "server_options.enable_batching to true."
        ),
        (
            [
                "--model_base_path=/m", "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1",
            ],
            "Either configure server_options.tensorflow_session_parallelism or "
        ),
        (["--model_base_path=/m", "--port=70000"], "--port is 70000; use 0 up to 65535"),
        (
            ["--model_base_path=/m", "--per_process_gpu_memory_fraction=nan"],
            "--per_process_gpu_memory_fraction is nan; use 0 to 1"
        ),
        (
            ["--model_base_path=/m", "--file_system_poll_wait_seconds=9000000000"],
            "--file_system_poll_wait_seconds is 9000000000; use any number up to 2147483647"
        ),
    ])
    func flags_thatDoNotGoTogether_areRefused(arguments: [String], message: String) throws {
        let flags = try ModelServerFlags.read(arguments)
        let error = try #require(throws: ServingError.self) { try flags.check() }
        #expect(error.code == .invalidArgument)
        #expect(error.message.hasPrefix(message), "\(error.message)")
    }

    @Test func flags_thatGoTogether_areAccepted() throws {
        try ModelServerFlags.read(["--model_base_path=/m"]).check()
        try ModelServerFlags.read(["--port=0", "--grpc_socket_path=/s", "--model_config_file=/c"])
            .check()
        // A platform's file replaces the flags about batching.
        try ModelServerFlags.read([
            "--model_base_path=/m", "--batching_parameters_file=/b", "--platform_config_file=/p",
        ]).check()
    }

    @Test func flag_withoutEffect_isWarnedOf_inALineEach() throws {
        let flags = try ModelServerFlags.read([
            "--use_alts_credentials", "--skip_initialize_tpu", "--mixed_precision=bfloat16",
            "--xla_gpu_compilation_enabled", "--rest_api_port=8500", "--monitoring_config_file=/m",
        ])
        #expect(
            flags.warnings.map { $0.prefix { $0 != " " } } == [
                "--use_alts_credentials", "--skip_initialize_tpu", "--xla_gpu_compilation_enabled",
                "--mixed_precision", "--rest_api_port", "--monitoring_config_file",
            ])
        #expect(flags.warnings.allSatisfy { !$0.contains("\n") })
        #expect(flags.restPort == nil)
        #expect(flags.grpcPort == 8500)
    }

    @Test(arguments: [
        ("rest_api_num_threads=3", "num_batch_threads"), ("grpc_max_threads=3", "--engine-threads"),
        ("num_tflite_interpreters_per_pool=2", "--num_tflite_pools"),
        ("flush_filesystem_caches=false", "the system itself"),
        ("remove_unused_fields_from_bundle_metagraph=false", "nothing of a graph"),
    ])
    func flag_withoutEffect_saysWhatDoesItsJob(argument: String, instead: String) throws {
        let warnings = try ModelServerFlags.read(["--" + argument]).warnings
        let warning = try #require(warnings.first)
        #expect(warnings.count == 1)
        #expect(warning.hasPrefix("--\(argument.prefix { $0 != "=" }) has no effect: "))
        #expect(warning.contains(instead))
    }

    @Test func flagOfGPUs_isWarnedOf_whereThereIsNone() throws {
        let flags = try ModelServerFlags.read(["--per_process_gpu_memory_fraction=0.5"])
        #expect(flags.warnings(hasGPU: true) == [])
        let warnings = flags.warnings(hasGPU: false)
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix("--per_process_gpu_memory_fraction has no ") == true)
    }

    @Test func flag_withoutEffect_atItsDefault_isNotWarnedOf() throws {
        let threads = 4 * ProcessInfo.processInfo.activeProcessorCount
        let flags = try ModelServerFlags.read([
            "--rest_api_num_threads=\(threads)", "--grpc_max_threads=\(threads)",
            "--num_tflite_interpreters_per_pool=1", "--flush_filesystem_caches=true",
        ])
        #expect(flags.warnings == [])
    }

    @Test func version_isNameAndNumber() {
        #expect(
            ModelServerFlags.versionText(tensorFlow: "2.21.0")
                == "Martlet ModelServer: \(martletVersion)\nTensorFlow Library: 2.21.0\n")
    }

    @Test func channelArguments_areReadByKind() throws {
        let arguments = try GRPCChannelArguments(
            "grpc.so_reuseport=0,grpc.max_connection_age_ms=2000,grpc.x=y=z,"
                + "grpc.max_receive_message_length=-1")
        #expect(!arguments.mayReusePort)
        #expect(arguments.values["grpc.max_connection_age_ms"] == .integer(2000))
        #expect(arguments.maxReceiveMessageBytes == -1)
        #expect(arguments.values["grpc.x"] == .text("y=z"))
        #expect(arguments.unknownNames == ["grpc.x"])
        #expect(try GRPCChannelArguments("").mayReusePort)
        #expect(throws: ServingError.self) { try GRPCChannelArguments("a") }
        #expect(throws: ServingError.self) { try GRPCChannelArguments("=1") }
    }

    @Test func channelArguments_aboutConnections_areTakenOver() throws {
        let arguments = try GRPCChannelArguments(
            "grpc.max_connection_age_ms=2000,grpc.max_connection_age_grace_ms=500,"
                + "grpc.keepalive_time_ms=7000,grpc.max_connection_idle_ms=100,"
                + "grpc.max_send_message_length=9,grpc.max_concurrent_streams=3")
        var lifetime = ConnectionLifetime()
        arguments.apply(to: &lifetime)
        #expect(lifetime.end == .init(age: .seconds(2), grace: .milliseconds(500)))
        #expect(lifetime.pingInterval == .seconds(7))
        #expect(lifetime.pingTimeout == ConnectionLifetime().pingTimeout)
        #expect(arguments.maxConnectionIdle == .milliseconds(100))
        #expect(arguments.maxSendMessageBytes == 9)
        #expect(arguments.maxConcurrentStreams == 3)
    }

    @Test func channelArguments_thatMeanNoLimit_setNone() throws {
        let arguments = try GRPCChannelArguments(
            "grpc.max_connection_age_ms=2147483647,grpc.max_connection_idle_ms=0,"
                + "grpc.max_send_message_length=-1,grpc.keepalive_time_ms=soon")
        var lifetime = ConnectionLifetime()
        arguments.apply(to: &lifetime)
        #expect(lifetime == ConnectionLifetime())
        #expect(arguments.maxConnectionIdle == nil)
        #expect(arguments.maxSendMessageBytes == nil)
    }
}
