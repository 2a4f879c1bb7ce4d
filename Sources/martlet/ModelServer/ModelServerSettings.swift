import MartletCore
import MartletProtocols
import MartletRepository
import SwiftProtobuf

/// All that flags and the files they name say about a model server.
struct ModelServerSettings {
    /// The platform whose settings are used; stock servers know no other.
    static let platform = "tensorflow"

    /// The models.
    let models: Tensorflow_Serving_ModelServerConfig
    /// How models are loaded: engine, batching, warm-up, tags, TensorFlow Lite.
    let loading: Tensorflow_Serving_SessionBundleConfig
    /// Where metrics are shown.
    let monitoring: Tensorflow_Serving_MonitoringConfig
    /// Encryption of gRPC; nil if there is none.
    let ssl: Tensorflow_Serving_SSLConfig?
    /// Settings of gRPC.
    let channelArguments: GRPCChannelArguments

    /// Checks flags and reads the files that they name.
    ///
    /// - Throws: `ServingError`, which names the flag, or the file, line and column.
    init(_ flags: ModelServerFlags) throws {
        try flags.check()
        models = try Self.models(flags)
        loading =
            flags.platformConfigFile.isEmpty
            ? try Self.loading(flags) : try Self.loading(platformFile: flags.platformConfigFile)
        monitoring =
            flags.monitoringConfigFile.isEmpty || flags.restPort == nil
            ? .init()
            : try ProtobufTextFile.read(
                flags.monitoringConfigFile, as: Tensorflow_Serving_MonitoringConfig.self)
        ssl =
            flags.sslConfigFile.isEmpty
            ? nil
            : try ProtobufTextFile.read(flags.sslConfigFile, as: Tensorflow_Serving_SSLConfig.self)
        channelArguments = try GRPCChannelArguments(flags.grpcChannelArguments)
    }

    private static func models(
        _ flags: ModelServerFlags
    ) throws -> Tensorflow_Serving_ModelServerConfig {
        if let file = flags.modelConfig { return try file.read() }
        var model = Tensorflow_Serving_ModelConfig()
        model.name = flags.modelName
        model.basePath = flags.modelBasePath
        model.modelPlatform = platform
        var config = Tensorflow_Serving_ModelServerConfig()
        config.modelConfigList.config = [model]
        return config
    }

    private static func loading(
        _ flags: ModelServerFlags
    ) throws -> Tensorflow_Serving_SessionBundleConfig {
        var loading = Tensorflow_Serving_SessionBundleConfig()
        if flags.enableBatching {
            if flags.batchingParametersFile.isEmpty {
                loading.batchingParameters.threadPoolName =
                    Google_Protobuf_StringValue("model_server_batch_threads")
            } else {
                loading.batchingParameters = try ProtobufTextFile.read(
                    flags.batchingParametersFile, as: Tensorflow_Serving_BatchingParameters.self)
            }
        }
        loading.sessionConfig = try session(flags)
        loading.savedModelTags = flags.savedModelTags.split(separator: ",").map(String.init)
        loading.enableModelWarmup = flags.enableModelWarmup
        if flags.numRequestIterationsForWarmup > 0 {
            loading.modelWarmupOptions.numRequestIterations =
                Google_Protobuf_Int32Value(Int32(clamping: flags.numRequestIterationsForWarmup))
        }
        loading.removeUnusedFieldsFromBundleMetagraph = flags.removeUnusedFieldsFromBundleMetagraph
        loading.preferTfliteModel = flags.preferTfliteModel
        loading.numTfliteInterpretersPerPool = Int32(clamping: flags.numTfliteInterpretersPerPool)
        loading.numTflitePools = Int32(clamping: flags.numTflitePools)
        return loading
    }

    private static func session(_ flags: ModelServerFlags) throws -> Tensorflow_ConfigProto {
        var session = Tensorflow_ConfigProto()
        if !flags.tensorflowSessionConfigFile.isEmpty {
            session = try ProtobufTextFile.read(
                flags.tensorflowSessionConfigFile, as: Tensorflow_ConfigProto.self)
        }
        if flags.perProcessGpuMemoryFraction > 0 {
            session.gpuOptions.perProcessGpuMemoryFraction = flags.perProcessGpuMemoryFraction
        }
        // The flags for one kind of thread go before the one for both, and a flag that is 0 leaves
        // the file's value as it is, which TensorFlow Serving overwrites with 0.
        let isSplit =
            flags.tensorflowIntraOpParallelism > 0 || flags.tensorflowInterOpParallelism > 0
        let both = isSplit ? 0 : flags.tensorflowSessionParallelism
        let intra = isSplit ? flags.tensorflowIntraOpParallelism : both
        let inter = isSplit ? flags.tensorflowInterOpParallelism : both
        if intra > 0 { session.intraOpParallelismThreads = Int32(clamping: intra) }
        if inter > 0 { session.interOpParallelismThreads = Int32(clamping: inter) }
        return session
    }

    private static func loading(
        platformFile: String
    ) throws -> Tensorflow_Serving_SessionBundleConfig {
        let map = try ProtobufTextFile.read(
            platformFile, as: Tensorflow_Serving_PlatformConfigMap.self)
        guard let entry = map.platformConfigs[platform] else {
            throw ServingError(
                .failedPrecondition,
                "\(platformFile): PlatformConfigMap has no entry for platform \(platform)")
        }
        let any = entry.sourceAdapterConfig
        do {
            if any.isA(Tensorflow_Serving_SessionBundleSourceAdapterConfig.self) {
                return try Tensorflow_Serving_SessionBundleSourceAdapterConfig(unpackingAny: any)
                    .config
            }
            return try Tensorflow_Serving_SavedModelBundleSourceAdapterConfig(unpackingAny: any)
                .legacyConfig
        } catch {
            throw ServingError(
                .invalidArgument,
                "\(platformFile): the source_adapter_config of platform \(platform) must be a "
                    + "tensorflow.serving.SavedModelBundleSourceAdapterConfig, not "
                    + "'\(any.typeURL)'",
                cause: error)
        }
    }
}
