public import Logging
public import MartletCore
public import MartletEngines
public import MartletTelemetry
public import MartletTransport
internal import Synchronization

/// A node's request handling: takes whole requests from the transport, runs them on threads that
/// may block, and writes each down once it is answered.
public final class ModelServer: RequestResponder {
    private let manager: ModelManager
    private let engineThreads: EngineThreads
    // Status, health and metrics must answer while every engine thread is busy.
    private let controlThread: EngineThreads
    private let restServices: [any RESTService]
    private let grpcOperations: [String: Operation<GRPCCall, [UInt8]>]
    let grpcStreams: [String: StreamOperation]
    let openStreams = Mutex(OpenStreams())
    let streamRequestsMax: Int
    private let answerBytesMax: Int?
    private let compressedBytesMin: Int?
    private let runner: PredictionRunner
    private let isBatching: Bool
    private let runTimes = RunTimes()
    private let options: TensorFlowServingOptions
    private let observer: PredictionObserver
    let admission: RequestAdmission
    let journal: RequestJournal
    private let health: NodeHealth
    private let logger: Logger

    /// Creates the server of a node.
    ///
    /// - Parameters:
    ///   - manager: finds the servables.
    ///   - engineThreads: run the predictions.
    ///   - limits: bounds on requests.
    ///   - openAILimits: further bounds on requests of OpenAI's API.
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
    ///   - administration: makes the changes that clients ask for; `nil` to refuse them.
    ///   - logger: reports errors that are not the client's.
    public init(
        manager: ModelManager, engineThreads: EngineThreads, limits: Limits,
        openAILimits: OpenAILimits = OpenAILimits(),
        repository: ModelRepositoryControl? = nil, adminAccess: AdminAccess = .loopback,
        sharedMemory: SharedMemoryAccess = .loopback, processors: Int, metrics: MetricsRegistry,
        monitoring: MonitoringOptions = MonitoringOptions(), batching: ServableBatching? = nil,
        enablesProfiler: Bool = false, accessLog: AccessLog,
        options: TensorFlowServingOptions = TensorFlowServingOptions(), keys: APIKeyFile? = nil,
        administration: ModelAdministration? = nil, logger: Logger
    ) {
        self.options = options
        admission = RequestAdmission(
            keys: keys, readsPriorities: batching?.isAdaptive ?? false)
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
            journal: journal, processors: processors)
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
                manager: manager, metrics: generation, limits: limits, bounds: openAILimits),
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

    // MARK: REST

    /// Answers an HTTP request; see ``RequestResponder``.
    public func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        journal.didReceive()
        let operation: Operation<HTTPRequest, HTTPResponse>
        let standing: TaskStanding
        // Without a key nobody learns which paths there are.
        let found = Result { try restOperation(for: request) }
        let failure = (try? found.get())?.failure
        do {
            let tenant = try admission.check(
                operation: (try? found.get())?.name, headers: request.headers,
                context: request.context)
            operation = try found.get()
            standing = try admission.standing(tenant: tenant, headers: request.headers)
        } catch {
            finish(request, RequestSubject(), .failure(error), failure, reply)
            return
        }
        process(
            request, operation, bytes: request.body.count, context: request.context,
            standing: standing
        ) { subject, result in
            self.finish(request, subject, result, failure, reply)
        }
    }

    private func restOperation(
        for request: HTTPRequest
    ) throws -> Operation<HTTPRequest, HTTPResponse> {
        if options.supportsCORS, request.method == "OPTIONS" { return CrossOrigin.preflight }
        var malformed: (any Error)?
        for service in restServices {
            do {
                if let operation = try service.operation(
                    method: request.method, path: request.path)
                {
                    return operation
                }
            } catch {
                // Another family may know better what this path is.
                malformed = malformed ?? error
            }
        }
        throw malformed ?? ServingError.notFound("Not found: \(request.method) \(request.path)")
    }

    private func finish(
        _ request: HTTPRequest, _ subject: RequestSubject,
        _ result: Result<HTTPResponse, any Error>,
        _ failure: (@Sendable (ServingError) -> HTTPResponse)?, _ reply: Reply<HTTPResponse>
    ) {
        let code: StatusCode
        var response: HTTPResponse
        switch result {
        case .success(let answer):
            code = answer.status == 503 ? .unavailable : .ok
            response = answer
            // Answers that are not errors come from threads that may take their time.
            if let compressedBytesMin { response.compress(for: request, from: compressedBytesMin) }
        case .failure(let error):
            let fault = servingError(error)
            code = fault.code
            response =
                failure?(fault) ?? (fault.cause is OpenAIErrorDetail ? .openAI(fault) : nil)
                ?? HTTPResponse(
                    status: code.httpStatus, contentType: "application/json",
                    body: errorBody(fault.message))
        }
        if code == .unauthenticated { response.headers.add("www-authenticate", "Bearer") }
        if options.supportsCORS {
            CrossOrigin.allow(&response.headers, withKeys: admission.keys != nil)
        }
        if let content = response.stream {
            content.onEnd { [self, status = response.status] isWhole, bytes in
                note(request, subject, isWhole ? code : .cancelled, status: status, bytes: bytes)
            }
        } else {
            note(
                request, subject, code, status: response.status, bytes: response.body.count)
        }
        reply.send(response)
    }

    private func note(
        _ request: HTTPRequest, _ subject: RequestSubject, _ code: StatusCode, status: Int,
        bytes: Int
    ) {
        journal.didAnswer(
            RequestRecord(
                api: .rest, method: request.method, path: request.path, subject: subject,
                code: code, status: .http(status), requestBytes: request.body.count,
                responseBytes: bytes, context: request.context))
    }

    // MARK: gRPC

    /// Answers a gRPC call; see ``RequestResponder``.
    public func respond(to call: GRPCCall, reply: Reply<GRPCResponse>) {
        journal.didReceive()
        let operation: Operation<GRPCCall, [UInt8]>
        let standing: TaskStanding
        do {
            let found = grpcOperations[call.path]
            let tenant = try admission.check(
                operation: found?.name, headers: call.metadata, context: call.context)
            guard let found else {
                throw ServingError(.unimplemented, "Unknown method \(call.path)")
            }
            operation = found
            standing = try admission.standing(tenant: tenant, headers: call.metadata)
        } catch {
            finish(call, RequestSubject(), .failure(error), reply)
            return
        }
        process(
            call, operation, bytes: call.message.count, context: call.context, standing: standing
        ) { subject, result in
            self.finish(call, subject, result, reply)
        }
    }

    private func finish(
        _ call: GRPCCall, _ subject: RequestSubject, _ result: Result<[UInt8], any Error>,
        _ reply: Reply<GRPCResponse>
    ) {
        let response: GRPCResponse
        let code: StatusCode
        var bytes = 0
        switch result {
        case .success(let message) where message.count > answerBytesMax ?? .max:
            code = .resourceExhausted
            response = .failure(
                code, "Sent message larger than max (\(message.count) vs. \(answerBytesMax ?? 0))")
        case .success(let message):
            code = .ok
            bytes = message.count
            response = .message(message)
        case .failure(let error):
            let fault = servingError(error)
            code = fault.code
            response = .failure(fault.code, fault.message)
        }
        journal.didAnswer(
            RequestRecord(call, subject: subject, code: code, responseBytes: bytes))
        reply.send(response)
    }

    // MARK: Both

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

    /// Does an operation.
    ///
    /// A small request for a model that batches is read at once, by the calling thread, as what
    /// remains to be done then is the batch threads'; all else goes to a thread that may block.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - operation: what it asks for.
    ///   - bytes: the size of the request.
    ///   - context: what surrounds it.
    ///   - standing: its place among others that wait to be run together.
    ///   - completion: takes what is known of the request and its outcome, exactly once, on any
    ///     thread.
    func process<Request: TimedRequest, Response>(
        _ request: Request, _ operation: Operation<Request, Response>, bytes: Int,
        context: RequestContext, standing: TaskStanding,
        completion: @escaping @Sendable (RequestSubject, Result<Response, any Error>) -> Void
    ) {
        let isInline =
            isBatching && operation.lane == .engine && bytes <= PredictionRunner.inlineBytesMax
        let submitted = ContinuousClock.now
        let work: @Sendable () -> Void = { [self] in
            var subject = operation.subject
            subject.standing = standing
            do {
                let started = isInline ? submitted : ContinuousClock.now
                if !isInline { try context.checkStillWanted() }
                switch try operation.respond(request, &subject) {
                case .ready(let response):
                    try context.checkStillWanted()
                    completion(subject, .success(response))
                case .prediction(let prediction):
                    predict(
                        prediction, subject: subject, submitted: submitted, started: started,
                        mayBlock: !isInline, context: context, standing: standing,
                        completion: completion)
                case .later(let start):
                    let known = subject
                    start { completion(known, $0) }
                }
            } catch let absent as ServableNotLoaded {
                manager.demand(model: absent.model) { [self] failure in
                    if let failure {
                        completion(operation.subject, .failure(failure))
                    } else {
                        process(
                            request, operation, bytes: .max, context: context, standing: standing,
                            completion: completion)
                    }
                }
            } catch {
                completion(subject, .failure(error))
            }
        }
        guard !isInline else { return work() }
        do {
            guard operation.lane == .engine else { return try controlThread.submit(work) }
            let time = runTimes.estimate(for: request.timeKey)
            try engineThreads.submit(expected: time.expected, deadline: context.deadline) {
                time.measuring(work)
            }
        } catch {
            completion(operation.subject, .failure(error))
        }
    }

    private func predict<Response>(
        _ prediction: Prediction<Response>, subject: RequestSubject,
        submitted: ContinuousClock.Instant, started: ContinuousClock.Instant, mayBlock: Bool,
        context: RequestContext, standing: TaskStanding,
        completion: @escaping @Sendable (RequestSubject, Result<Response, any Error>) -> Void
    ) {
        var prediction = prediction
        let timer = PredictionTimer(
            prediction.lease.loaded.statistics, received: context.start, submitted: submitted,
            started: started)
        timer.watch(&prediction)
        let observed = observer.observing(prediction, subject: subject)
        runner.run(
            observed, context: context, standing: standing, mayBlock: mayBlock
        ) { result in
            timer.finish(result)
            completion(
                subject,
                Result {
                    let response = try result.get()
                    try context.checkStillWanted()
                    return response
                })
        }
    }

    func servingError(_ error: any Error) -> ServingError {
        let fault = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        if fault.code == .internal || fault.code == .unknown {
            logger.error(
                "request failed",
                metadata: [
                    "error": "\(fault)", "cause": "\(fault.cause.map { "\($0)" } ?? "none")",
                ])
        }
        return fault
    }
}
