import ArgumentParser
import Foundation
import MartletCore

extension ModelServerFlags {
    /// How a model server ends that could not start, as `tensorflow_model_server` does.
    static let failure = ExitCode(255)

    /// Reads arguments.
    ///
    /// - Parameter arguments: what stands behind the name of the program.
    /// - Returns: the flags, each on its own in order; see ``check()``.
    /// - Throws: `ServingError` for a flag that is unknown or lacks its value, ArgumentParser's
    ///   errors for a value of another type and for `--help`.
    static func read(_ arguments: [String]) throws -> ModelServerFlags {
        try parse(ModelServerArguments().normalized(arguments))
    }

    /// Says which program this is.
    ///
    /// - Parameter tensorFlow: the version of the engine; nil if there is none.
    /// - Returns: two lines, for standard output.
    static func versionText(tensorFlow: String?) -> String {
        """
        Martlet ModelServer: \(martletVersion)
        TensorFlow Library: \(tensorFlow ?? "not found")

        """
    }

    /// Checks what must be so for a server to start.
    ///
    /// - Throws: `ServingError` `INVALID_ARGUMENT`, in TensorFlow Serving's words where it has any.
    func check() throws {
        try checkRanges()
        guard port != 0 || !grpcSocketPath.isEmpty else {
            throw ServingError.invalidArgument(
                "At least one of server_options.grpc_port or server_options.grpc_socket_path "
                    + "must be set.")
        }
        guard !useAltsCredentials || sslConfigFile.isEmpty else {
            throw ServingError.invalidArgument(
                "Either use_alts_credentials must be false or ssl_config_file must be empty.")
        }
        guard !restApiSsl || !sslConfigFile.isEmpty else {
            throw ServingError.invalidArgument(
                "--rest_api_ssl needs --ssl_config_file, which names the certificate and the key")
        }
        guard !modelBasePath.isEmpty || !modelConfigFile.isEmpty else {
            throw ServingError.invalidArgument(
                "Both server_options.model_base_path and server_options.model_config_file "
                    + "are empty!")
        }
        guard platformConfigFile.isEmpty else { return }
        guard enableBatching || batchingParametersFile.isEmpty else {
            throw ServingError.invalidArgument(
                "server_options.batching_parameters_file is set without setting "
                    + "server_options.enable_batching to true.")
        }
        let isEachSet =
            tensorflowSessionParallelism > 0 && tensorflowIntraOpParallelism > 0
            && tensorflowInterOpParallelism > 0
        guard !isEachSet else {
            throw ServingError.invalidArgument(
                "Either configure server_options.tensorflow_session_parallelism or "
                    + "(server_options.tensorflow_intra_op_parallelism, "
                    + "server_options.tensorflow_inter_op_parallelism) separately. "
                    + "You cannot configure all.")
        }
    }

    private func checkRanges() throws {
        let values: [(name: String, value: Int, range: ClosedRange<Int>)] = [
            ("port", port, 0...65535),
            ("rest_api_port", restApiPort, 0...65535),
            ("rest_api_num_threads", restApiNumThreads, 1...Self.mostThreads),
            ("rest_api_timeout_in_ms", restApiTimeoutInMs, 1...Self.most),
            ("grpc_max_threads", grpcMaxThreads, 1...Self.mostThreads),
            ("num_load_threads", numLoadThreads, 0...Self.mostThreads),
            ("num_unload_threads", numUnloadThreads, 0...Self.mostThreads),
            ("max_num_load_retries", maxNumLoadRetries, 0...Self.most),
            // Longer pauses than some 30 years are mistakes.
            (
                "load_retry_interval_micros", loadRetryIntervalMicros,
                Int.min...1_000_000_000_000_000
            ),
            ("file_system_poll_wait_seconds", fileSystemPollWaitSeconds, Int.min...Self.most),
            (
                "model_config_file_poll_wait_seconds", modelConfigFilePollWaitSeconds,
                Int.min...Self.most
            ),
            ("tensorflow_session_parallelism", tensorflowSessionParallelism, 0...Self.mostThreads),
            ("tensorflow_intra_op_parallelism", tensorflowIntraOpParallelism, 0...Self.mostThreads),
            ("tensorflow_inter_op_parallelism", tensorflowInterOpParallelism, 0...Self.mostThreads),
            ("num_request_iterations_for_warmup", numRequestIterationsForWarmup, 0...Self.most),
            ("num_tflite_pools", numTflitePools, 1...Self.mostThreads),
            (
                "num_tflite_interpreters_per_pool", numTfliteInterpretersPerPool,
                1...Self.mostThreads
            ),
        ]
        for (name, value, range) in values where !range.contains(value) {
            let least = range.lowerBound == Int.min ? "any number" : "\(range.lowerBound)"
            throw ServingError.invalidArgument(
                "--\(name) is \(value); use \(least) up to \(range.upperBound)")
        }
        guard (0...1).contains(perProcessGpuMemoryFraction) else {
            throw ServingError.invalidArgument(
                "--per_process_gpu_memory_fraction is \(perProcessGpuMemoryFraction); use 0 to 1")
        }
    }

    private static let most = Int(Int32.max)
    private static let mostThreads = 1024

    /// One line for each flag that is set and has no effect here.
    var warnings: [String] { warnings(hasGPU: Self.hasGPU) }

    /// Whether this machine has a graphics processor that TensorFlow could use.
    private static var hasGPU: Bool {
        ["/dev/nvidiactl", "/dev/kfd"].contains { FileManager.default.fileExists(atPath: $0) }
    }

    /// One line for each flag that is set and has no effect on such a machine.
    func warnings(hasGPU: Bool) -> [String] {
        var lines: [String] = []
        func warn(_ isSet: Bool, _ flag: String, _ why: String) {
            if isSet { lines.append("--\(flag) has no effect: \(why)") }
        }
        warn(
            useAltsCredentials, "use_alts_credentials",
            "ALTS works on Google's machines only, and gRPC is NOT encrypted; use --ssl_config_file"
        )
        warn(skipInitializeTpu, "skip_initialize_tpu", "TPUs are not used")
        warn(
            xlaGpuCompilationEnabled, "xla_gpu_compilation_enabled",
            "the engine decides about compilation by itself")
        warn(
            perProcessGpuMemoryFraction > 0 && !hasGPU, "per_process_gpu_memory_fraction",
            "this machine has no graphics processor that the engine could use")
        warn(!mixedPrecision.isEmpty, "mixed_precision", "graphs run in their own precision")
        warn(
            !threadPoolFactoryConfigFile.isEmpty, "thread_pool_factory_config_file",
            "no thread pools but the engine's own can be had")
        warnOfThreads(warn)
        warn(
            !flushFilesystemCaches, "flush_filesystem_caches",
            "the system itself keeps the files that were read, as long as nothing else needs the "
                + "memory")
        warn(
            !removeUnusedFieldsFromBundleMetagraph, "remove_unused_fields_from_bundle_metagraph",
            "nothing of a graph but its signatures is kept beside the engine")
        warn(
            restApiPort != 0 && restApiPort == port, "rest_api_port",
            "server_options.http_port cannot be same as grpc_port. Please use a different port for "
                + "HTTP/REST API. Skipped exporting HTTP/REST API.")
        warn(
            !monitoringConfigFile.isEmpty && restPort == nil, "monitoring_config_file",
            "metrics are shown on the REST port, and there is none; set --rest_api_port")
        return lines
    }

    private func warnOfThreads(_ warn: (_ isSet: Bool, _ flag: String, _ why: String) -> Void) {
        let defaults = 4 * ProcessInfo.processInfo.activeProcessorCount
        let instead =
            "connections need no threads, and predictions have one for each core; "
            + "num_batch_threads of --batching_parameters_file, or --engine-threads of "
            + "'martlet serve', gives them more or fewer"
        warn(restApiNumThreads != defaults, "rest_api_num_threads", instead)
        warn(grpcMaxThreads != defaults, "grpc_max_threads", instead)
        warn(
            numTfliteInterpretersPerPool != 1, "num_tflite_interpreters_per_pool",
            "--num_tflite_pools says how many requests of a TFLite model run at once")
    }
}
