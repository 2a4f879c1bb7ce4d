import Logging
public import MartletCore

/// Finds endpoints by DNS, again and again.
///
/// A name is resolved anew after each refresh interval, and not when its records' time to live says
/// so: a name server near by keeps records as long as they say, and the operator knows best how
/// fast changes must be followed. No failure of DNS, and no name that has vanished from it, empties
/// a set: the last one stays until another is found, and health checks tell which of its endpoints
/// live.
public struct DNSDiscovery: Discovery {
    /// What is looked up, and how.
    struct Configuration: Sendable, Hashable {
        /// The name of the endpoints.
        var name: String
        /// What is asked for.
        var record: DNSResolution.Record
        /// From the end of one lookup to the next.
        var refreshInterval: Duration = .seconds(5)
        /// How long a lookup may take before it is said to have failed; then the first thing is
        /// told of it at the latest.
        var lookupTimeout: Duration = .seconds(5)
    }

    private let configuration: Configuration
    private let resolver: any NameResolver
    private let seed: UInt64
    private let logger: Logger

    /// Discovers what the configuration names.
    ///
    /// - Parameters:
    ///   - configuration: what is looked up.
    ///   - resolver: whom to ask.
    ///   - seed: of the random part of the times between lookups.
    ///   - logger: is told when lookups begin to fail, and when they work again.
    init(
        _ configuration: Configuration, resolver: any NameResolver = SystemResolver(),
        seed: UInt64, logger: Logger
    ) {
        self.configuration = configuration
        self.resolver = resolver
        self.seed = seed
        self.logger = logger
    }

    /// The sets of endpoints, as ``Discovery`` tells them: never empty, but there may be none yet.
    public func endpointSets() -> AsyncStream<Result<EndpointSet, ServingError>> {
        // Two: a failure follows a set that a late reader must not miss, and another failure never
        // follows it.
        AsyncStream(bufferingPolicy: .bufferingNewest(2)) { continuation in
            // Ends with the stream, and the stream with its reader.
            let task = Task {
                await watch(continuation)
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func watch(
        _ sets: AsyncStream<Result<EndpointSet, ServingError>>.Continuation
    ) async {
        var watch = DNSWatch(refreshInterval: configuration.refreshInterval, seed: seed)
        var resolution = DNSResolution(name: configuration.name, record: configuration.record)
        while !Task.isCancelled {
            let lookup = start(resolution)
            var outcome = await lookup.outcome(within: configuration.lookupTimeout)
            if outcome == nil, !Task.isCancelled {
                tell(watch.noteDelay(of: configuration.name), sets)
                // No other is started beside it: a resolver that hangs must not eat threads.
                outcome = await lookup.outcome()
            }
            guard let outcome, !Task.isCancelled else { return }
            resolution = outcome.resolution
            tell(watch.take(outcome.finding), sets)
            try? await Task.sleep(for: watch.nextPause())
        }
    }

    /// What a lookup leaves behind.
    private struct Outcome: Sendable {
        let resolution: DNSResolution
        let finding: DNSFinding
    }

    private func start(_ resolution: DNSResolution) -> DNSLookup<Outcome> {
        // Leaves the last question its time.
        let deadline = ContinuousClock.now + configuration.lookupTimeout / 2
        return DNSLookup { [resolver] in
            var resolution = resolution
            let finding = resolution.lookUp(by: resolver) { ContinuousClock.now > deadline }
            return Outcome(resolution: resolution, finding: finding)
        }
    }

    private func tell(
        _ step: DNSWatch.Step,
        _ sets: AsyncStream<Result<EndpointSet, ServingError>>.Continuation
    ) {
        if let news = step.news { log(news) }
        guard let result = step.result else { return }
        sets.yield(
            result.mapError { trouble in
                ServingError(.unavailable, "DNS: \(trouble.name): \(trouble.failure.text)")
            })
    }

    private func log(_ news: DNSWatch.News) {
        var metadata: Logger.Metadata = ["name": "\(configuration.name)"]
        switch news {
        case .failing(let trouble, let endpoints), .incomplete(let trouble, let endpoints):
            metadata["error"] = "\(trouble.name): \(trouble.failure.text)"
            metadata["endpoints"] = "\(endpoints)"
        case .recovered(let endpoints): metadata["endpoints"] = "\(endpoints)"
        }
        switch news {
        case .failing:
            logger.warning(
                "endpoints cannot be found by DNS; they stay as they are", metadata: metadata)
        case .incomplete:
            logger.warning(
                "some endpoints cannot be found by DNS; they stay as they are", metadata: metadata)
        case .recovered: logger.info("endpoints are found by DNS again", metadata: metadata)
        }
    }
}
