import Foundation
import MartletCore
import MartletEngines
import MartletModelServer
import MartletProtocols
import MartletRepository
import MartletTransport
import SwiftProtobuf

extension ModelServerSettings {
    /// The node that flags and files describe.
    ///
    /// - Parameter flags: the flags.
    /// - Returns: the node's settings.
    /// - Throws: `ServingError` for a mistake in the files.
    func node(_ flags: ModelServerFlags) throws -> NodeSettings {
        var node = NodeSettings()
        node.models = try ModelConfiguration.configurations(models)
        node.pollInterval =
            switch flags.versionPolling {
            case .never, .once: nil
            case .every(let pause): pause
            }
        node.endpoints = try endpoints(flags)
        // With the original, who can connect can predict: scripts and probes count on it.
        node.listensOnceModelsSettled = true
        node.limits = limits(flags)
        node.allowsLabelsOfUnavailableVersions = flags.allowVersionLabelsForUnavailableModels
        node.serving.supportsCORS = flags.restApiEnableCorsSupport
        node.serving.checksMethodNames = flags.enableSignatureMethodNameCheck
        node.serving.sendsTensorContent = flags.enableSerializationAsTensorContent
        node.manager.loadThreads = max(1, flags.numLoadThreads)
        node.manager.unloadThreads = max(1, flags.numUnloadThreads)
        node.manager.retries = LoadRetryPolicy(
            maximum: flags.maxNumLoadRetries, interval: flags.loadRetryInterval)
        node.loading.tags = loading.savedModelTags.isEmpty ? ["serve"] : loading.savedModelTags
        node.loading.prefersTFLite = loading.preferTfliteModel
        node.litert.interpretersPerModel = max(1, Int(loading.numTflitePools))
        node.tensorflow.configuration = try loading.sessionConfig.serializedBytes()
        node.tensorflow.compilesWithXLA = flags.xlaCpuCompilationEnabled
        node.monitoring = MonitoringOptions(monitoring)
        node.enablesProfiler = flags.enableProfiler
        node.warmUp.isEnabled = loading.enableModelWarmup
        if loading.modelWarmupOptions.hasNumRequestIterations {
            node.warmUp.iterations = max(
                1, Int(loading.modelWarmupOptions.numRequestIterations.value))
        }
        // The original has no such thing, and no flag to switch it off.
        node.sharedMemory = .off
        // Whoever can reach the port may reload the models, as with the original.
        node.serving.reloadAccess = .any
        if loading.hasBatchingParameters {
            node.batching = try BatchingParameters(loading.batchingParameters)
        }
        node.readsModelBatchingParameters = flags.enablePerModelBatchingParameters
        return node
    }

    /// Settings that are given and have no effect, a line each.
    var warnings: [String] {
        channelArguments.unknownNames.map {
            "--grpc_channel_arguments: \($0) has no effect"
        }
    }

    private func endpoints(_ flags: ModelServerFlags) throws -> [NodeSettings.Endpoint] {
        var grpc = ListenerOptions()
        grpc.protocols = .grpc
        grpc.tls = try ssl.map(Self.tls)
        grpc.readTLS = { [file = flags.sslConfigFile] in
            try Self.tls(
                ProtobufTextFile.read(file, as: Tensorflow_Serving_SSLConfig.self))
        }
        grpc.sharesPort = channelArguments.mayReusePort
        grpc.idleTimeout = channelArguments.maxConnectionIdle
        channelArguments.apply(to: &grpc.lifetime)
        var endpoints: [NodeSettings.Endpoint] = []
        if let port = flags.grpcPort {
            endpoints.append(.init(address: .anyTCP(port: port), options: grpc))
        }
        if !flags.grpcSocketPath.isEmpty {
            var socket = grpc
            socket.tls = nil
            socket.sharesPort = false
            // As gRPC's own servers do; scripts start the next server before they stop the last.
            socket.takesSocketOver = true
            endpoints.append(
                .init(address: .unixSocket(path: flags.grpcSocketPath), options: socket))
        }
        if let port = flags.restPort {
            var rest = ListenerOptions()
            rest.protocols = .http1
            if flags.restApiSsl { (rest.tls, rest.readTLS) = (grpc.tls, grpc.readTLS) }
            endpoints.append(.init(address: .anyTCP(port: port), options: rest))
        }
        return endpoints
    }

    private func limits(_ flags: ModelServerFlags) -> Limits {
        var limits = Limits()
        // The original takes messages of any size; ours are bounded by what one of protobuf can be.
        limits.messageBytes =
            switch channelArguments.maxReceiveMessageBytes {
            case .some(let bytes) where bytes >= 0: bytes
            default: Int(Int32.max)
            }
        limits.answerBytes = channelArguments.maxSendMessageBytes
        if let streams = channelArguments.maxConcurrentStreams {
            limits.concurrentStreams = streams
        }
        limits.requestTimeout = flags.restTimeout
        return limits
    }

    private static func tls(_ ssl: Tensorflow_Serving_SSLConfig) throws -> ServerTLS {
        guard !ssl.serverKey.isEmpty, !ssl.serverCert.isEmpty else {
            throw ServingError.invalidArgument(
                "--ssl_config_file: server_key and server_cert must both be set")
        }
        var tls = ServerTLS(
            certificateChain: .text(ssl.serverCert, name: "server_cert"),
            privateKey: .text(ssl.serverKey, name: "server_key"))
        if ssl.clientVerify {
            guard !ssl.customCa.isEmpty else {
                throw ServingError.invalidArgument(
                    "--ssl_config_file: client_verify needs custom_ca, the authorities that sign "
                        + "clients' certificates")
            }
            tls.clientVerification = .required(
                authorities: .text(ssl.customCa, name: "custom_ca"))
        }
        return tls
    }
}
