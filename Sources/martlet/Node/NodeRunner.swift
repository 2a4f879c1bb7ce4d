import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletModelServer
import MartletTelemetry
import MartletTransport
import ServiceLifecycle
import UnixSignals

/// Puts a node together and runs it until it is told to stop.
struct NodeRunner {
    let settings: NodeSettings
    let accessLog: AccessLog
    /// More services that run as long as the node does.
    var companions: @Sendable (ModelAdministration) -> [any Service] = { _ in [] }

    private var logger: Logger {
        var logger = Logger(label: "martlet.node")
        if let name = settings.name { logger[metadataKey: "node"] = "\(name)" }
        return logger
    }

    /// Runs until SIGTERM or SIGINT, then drains.
    ///
    /// - Throws: `ServingError` when it cannot start, or requests outlast the drain limit.
    func run() async throws {
        FileDescriptors.raiseLimit()
        let allowance = ProcessorAllowance.ofProcess
        let budget = ThreadBudget(cores: allowance.cores, wishes: settings.threadWishes)
        logger.info(
            "threads",
            metadata: [
                "cores": "\(budget.cores)", "found": "\(allowance.text)",
                "budget": "\(budget.text)",
            ])
        let metrics = MetricsRegistry()
        ThreadMetrics.register(budget, in: metrics)
        let batching = makeBatching(metrics: metrics)
        let requestLogs = RequestLogs(
            metrics: metrics, servingMetrics: settings.monitoring.metrics, logger: logger)
        let manager = ModelManager(
            loader: try makeLoader(batching: batching, budget: budget),
            options: settings.manager,
            requestLogs: requestLogs, logger: logger)
        let source = ModelSource(
            manager: manager, models: settings.models, root: settings.modelRoot,
            pollInterval: settings.pollInterval, logger: logger)
        let administration = ModelAdministration(
            manager: manager, source: source,
            allowsLabelsOfUnavailableVersions: settings.allowsLabelsOfUnavailableVersions)
        let keys = try settings.apiKeyFile.map { try APIKeyFile(path: $0, logger: logger) }
        let server = ModelServer(
            manager: manager,
            engineThreads: EngineThreads(
                count: budget.count(of: .engine),
                capacity: settings.limits.queuedRequests, name: "engine"),
            limits: settings.limits, openAILimits: settings.openAILimits,
            decodeStallLimit: settings.decodeStallLimit,
            repository: ModelRepositoryControl(manager: manager, source: source),
            adminAccess: settings.adminAccess, sharedMemory: settings.sharedMemory,
            processors: budget.cores, metrics: metrics,
            monitoring: settings.monitoring, batching: batching,
            enablesProfiler: settings.enablesProfiler, accessLog: accessLog,
            options: settings.serving, keys: keys, trustsGateway: settings.trustsGateway,
            administration: administration, logger: logger)
        let eventLoops = EventLoops(count: budget.count(of: .eventLoop))
        let listeners: ListenerGroup
        if settings.listensOnceModelsSettled {
            listeners = ListenerGroup {
                await manager.settle()
                return Task.isCancelled ? [] : try await listen(server, eventLoops: eventLoops)
            }
        } else {
            let open = try await listen(server, eventLoops: eventLoops)
            listeners = ListenerGroup { open }
        }
        let services: [any Service] =
            [source] + (keys.map { [$0] } ?? []) + companions(administration)
            + [
                listeners,
                DrainNotice {
                    server.startDraining()
                    settings.manager.loadJournal?.close()
                },
            ]
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "martlet.lifecycle"))
        ).run()
        requestLogs.flush()
        logger.info("stopped")
    }

    private func makeBatching(metrics: MetricsRegistry) -> ServableBatching? {
        guard settings.batching != nil || !settings.batchingTargets.isEmpty else { return nil }
        return ServableBatching(
            parameters: settings.batching, targets: settings.batchingTargets,
            readsModelParameters: settings.readsModelBatchingParameters, metrics: metrics,
            servingMetrics: settings.monitoring.metrics)
    }

    private func makeLoader(
        batching: ServableBatching?, budget: ThreadBudget
    ) throws -> VersionLoader {
        let threads = budget.count(of: .openvino)
        let engines = try NodeEngines(settings: settings, threads: threads, logger: logger)
            .makeRegistry()
        var options = settings.loading
        options.trial.requestsAtOnce = threads
        options.batching = batching
        options.warmUp = settings.warmUp
        options.limits = settings.limits
        options.openAILimits = settings.openAILimits
        return VersionLoader(
            engines: engines, options: options, metrics: settings.monitoring.metrics, logger: logger
        )
    }

    private func listen(
        _ server: ModelServer, eventLoops: EventLoops
    ) async throws -> [Listener] {
        var listeners: [Listener] = []
        for endpoint in settings.endpoints {
            let listener = try await Listener.bind(
                to: endpoint.address, options: endpoint.options, responder: server,
                limits: settings.limits, eventLoops: eventLoops, logger: logger)
            try ListenOptions.write(port: listener.port, to: endpoint.portFile)
            logger.info("listening", metadata: ["address": "\(listener.address)"])
            listeners.append(listener)
        }
        return listeners
    }
}

/// Several listeners that drain together.
struct ListenerGroup: Service {
    /// Gives the listeners; cancelled when shutdown comes first.
    let open: @Sendable () async throws -> [Listener]

    func run() async throws {
        let listeners = try await cancelWhenGracefulShutdown { try await open() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { try await listener.run() } }
            try await group.waitForAll()
        }
    }
}

/// Runs an action as soon as graceful shutdown begins.
struct DrainNotice: Service {
    let action: @Sendable () -> Void

    func run() async throws {
        try await gracefulShutdown()
        action()
    }
}
