public import Logging
public import MartletCore
public import MartletEngines
public import MartletTelemetry
public import MartletTransport
internal import Synchronization

/// A node's request handling: takes whole requests from the transport, runs them on threads that
/// may block, and writes each down once it is answered.
public final class ModelServer: RequestResponder {
    let manager: ModelManager
    let engineThreads: EngineThreads
    // Status, health and metrics must answer while every engine thread is busy.
    let controlThread: EngineThreads
    let restServices: [any RESTService]
    let grpcOperations: [String: Operation<GRPCCall, [UInt8]>]
    let grpcStreams: [String: StreamOperation]
    let openStreams = Mutex(OpenStreams())
    let streamRequestsMax: Int
    let answerBytesMax: Int?
    let compressedBytesMin: Int?
    let runner: PredictionRunner
    let isBatching: Bool
    let runTimes = RunTimes()
    let options: TensorFlowServingOptions
    let observer: PredictionObserver
    let admission: RequestAdmission
    let journal: RequestJournal
    private let health: NodeHealth
    let logger: Logger

    /// Creates the server of a node.
    ///
    /// - Parameters:
    ///   - manager: finds the servables.
    ///   - engineThreads: run the predictions.
    ///   - limits: bounds on requests.
    ///   - openAILimits: further bounds on requests of OpenAI's API.
    ///   - decodeStallLimit: how long one step of a decode loop may take before the node counts as
    ///     not ready; `nil` for as long as it takes.
    ///   - repository: loads and unloads models on request; `nil` for a node that does not.
    ///   - adminAccess: who may do that.
    ///   - sharedMemory: who may pass tensors by shared memory.
    ///   - processors: cores of the machine, for the load report.
    ///   - metrics: takes the node's metrics.
    ///   - monitoring: where the metrics are shown under TensorFlow Serving's names.
    ///   - batching: puts requests together, if any does.
    ///   - enablesProfiler: whether clients of TensorFlow's profiler may record what the node does.
    ///   - accessLog: takes a line for each request.
    ///   - options: how TensorFlow Serving's APIs answer.
    ///   - keys: API keys, one of which each request but health checks must show; `nil` for none.
    ///   - trustsGateway: whether whoever sends requests is believed what ``GatewayFields`` say.
    ///   - administration: makes the changes that clients ask for; `nil` to refuse them.
    ///   - logger: reports errors that are not the client's.
    public init(
        manager: ModelManager, engineThreads: EngineThreads, limits: Limits,
        openAILimits: OpenAILimits = OpenAILimits(), decodeStallLimit: Duration? = nil,
        repository: ModelRepositoryControl? = nil, adminAccess: AdminAccess = .loopback,
        sharedMemory: SharedMemoryAccess = .loopback, processors: Int, metrics: MetricsRegistry,
        monitoring: MonitoringOptions = MonitoringOptions(), batching: ServableBatching? = nil,
        enablesProfiler: Bool = false, accessLog: AccessLog,
        options: TensorFlowServingOptions = TensorFlowServingOptions(), keys: APIKeyFile? = nil,
        trustsGateway: Bool = false, administration: ModelAdministration? = nil, logger: Logger
    ) {
        self.options = options
        admission = RequestAdmission(
            keys: keys, readsPriorities: batching?.isAdaptive ?? false,
            trustsGateway: trustsGateway)
        self.manager = manager
        streamRequestsMax = limits.streamRequests
        answerBytesMax = limits.answerBytes
        compressedBytesMin = limits.compressedBytes
        runner = PredictionRunner(threads: engineThreads)
        isBatching = batching != nil
        self.engineThreads = engineThreads
        self.logger = logger
        controlThread = EngineThreads(
            count: 1, capacity: limits.queuedRequests, name: "control")
        let profiler = enablesProfiler ? RequestProfiler() : nil
        observer = PredictionObserver(
            metrics: monitoring.metrics, requestLogs: manager.requestLogs, profiler: profiler)
        journal = RequestJournal(
            metrics: metrics, servingMetrics: monitoring.metrics, profiler: profiler,
            accessLog: accessLog
        ) { [manager] in
            manager.knows(model: $0)
        }
        health = NodeHealth(
            manager: manager, threads: engineThreads, batches: batching?.scheduler,
            journal: journal, processors: processors,
            stallWatch: StallWatch(limit: decodeStallLimit))
        let generation = GenerationMetrics(metrics: metrics, manager: manager)
        let openInference = OpenInferenceNode(
            manager: manager, health: health, limits: limits, repository: repository,
            adminAccess: adminAccess,
            sharedMemory: SharedMemoryLender(
                regions: SharedMemoryRegions(), access: sharedMemory,
                requestBytesMax: limits.messageBytes))
        restServices = [
            ModelsRESTService(manager: manager, limits: limits, options: options),
            NodeRESTService(
                manager: manager, health: health, metrics: metrics, monitoring: monitoring),
            OpenAIRESTService(
                manager: manager, metrics: generation, limits: limits, bounds: openAILimits,
                admission: admission),
            OpenInferenceRESTService(node: openInference),
            SharedMemoryRESTService(lender: openInference.sharedMemory, limits: limits),
            AdminRESTService(
                administration: administration, access: adminAccess, limits: limits),
        ]
        let healthService = HealthGRPCService(health: health)
        let inferenceService = OpenInferenceGRPCService(node: openInference)
        var grpcServices: [any GRPCService] = [
            PredictionGRPCService(manager: manager, limits: limits, options: options),
            ExampleGRPCService(
                manager: manager, limits: limits,
                predictor: ExamplePredictor(checksMethodNames: options.checksMethodNames)),
            ModelGRPCService(
                manager: manager,
                reload: administration.map {
                    ReloadConfig(
                        administration: $0, metrics: [monitoring.metrics.registry, metrics],
                        access: options.reloadAccess)
                }),
            healthService, inferenceService,
            SharedMemoryGRPCService(lender: openInference.sharedMemory),
        ]
        if let profiler { grpcServices.append(ProfilerGRPCService(profiler: profiler)) }
        grpcOperations = grpcServices.reduce(into: [:]) { all, service in
            all.merge(service.operations) { first, _ in first }
        }
        let streamServices: [any GRPCStreamService] = [healthService, inferenceService]
        grpcStreams = streamServices.reduce(into: [:]) { all, service in
            all.merge(service.streams) { first, _ in first }
        }
        NodeMetrics.register(in: metrics, manager: manager, threads: engineThreads)
    }

    /// Makes the node unready, so that gateways send nothing new, and ends the streams.
    public func startDraining() {
        health.startDraining()
        for stream in openStreams.withLock({ $0.startDraining() }) { stream.startDraining() }
    }

    /// How busy the node is, for those who ask to be told along with an answer.
    public var loadReport: LoadReport? { health.loadReport }

    /// Counts a connection that the transport ended for a flood.
    public func didEnd(_ flood: HTTP2Flood) { journal.didEnd(flood) }

    /// Writes down what the transport refused by itself.
    public func didRefuse(_ refusal: Refusal) {
        let isREST = refusal.api == .rest
        journal.write(
            RequestRecord(
                api: refusal.api, method: refusal.method, path: refusal.path,
                subject: RequestSubject(), code: refusal.error.code,
                status: isREST ? .http(refusal.httpStatus) : .grpc(refusal.error.code.name),
                requestBytes: 0, responseBytes: 0, context: refusal.context))
    }
}
