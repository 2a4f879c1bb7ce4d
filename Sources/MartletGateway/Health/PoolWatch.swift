import Logging
import MartletTransport
import Synchronization

/// Finds the endpoints of one pool and checks each at its interval, until the pool is no more.
final class PoolWatch: Sendable {
    let pool: PoolRuntime
    private let policy: GatewayPolicy
    private let eventLoops: EventLoops
    private let seed: UInt64
    private let pause: Pause
    private let ended: AsyncStream<Void>
    private let ending: AsyncStream<Void>.Continuation

    /// Waits between two checks of an endpoint, or until the task is cancelled.
    typealias Pause = @Sendable (Duration) async -> Void

    /// A watch that begins with ``run()``.
    ///
    /// - Parameters:
    ///   - pool: whose endpoints are checked.
    ///   - policy: what is told of them.
    ///   - eventLoops: where checks work.
    ///   - seed: sets the times of checks apart from those of other pools and gateways.
    ///   - pause: how the next check is waited for.
    init(
        _ pool: PoolRuntime, policy: GatewayPolicy, eventLoops: EventLoops,
        seed: UInt64 = .random(in: .min ... .max),
        pause: @escaping Pause = { try? await Task.sleep(for: $0) }
    ) {
        self.pool = pool
        self.policy = policy
        self.eventLoops = eventLoops
        self.seed = seed
        self.pause = pause
        (ended, ending) = AsyncStream<Void>.makeStream()
    }

    /// The pool is no more.
    func end() { ending.finish() }

    /// Works until ``end()``, or until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.work() }
            for await _ in ended {}
            group.cancelAll()
        }
    }

    private func work() async {
        await withTaskGroup(of: Void.self) { group in
            if let prober = PoolProber(pool, policy: policy) {
                group.addTask { await prober.run() }
            }
            var checks: [UpstreamAddress: Check] = [:]
            for address in pool.directory.addresses { begin(address, &checks, &group) }
            if let dns = pool.settings.dns {
                let discovery = DNSDiscovery(
                    dns.discovery, resolver: dns.resolver, seed: .random(in: .min ... .max),
                    logger: policy.logger)
                for await case .success(let endpoints) in discovery.endpointSets() {
                    take(pool.settings.own(endpoints), &checks, &group)
                }
            }
            await group.waitForAll()
        }
    }

    /// Uses the endpoints that were found, and no others.
    private func take(
        _ endpoints: EndpointSet, _ checks: inout [UpstreamAddress: Check],
        _ group: inout TaskGroup<Void>
    ) {
        let options = pool.options.withLock { $0 }
        // Before they are asked for the first time.
        for endpoint in endpoints.endpoints where checks[endpoint.address] == nil {
            policy.pools?.setOptions(options, for: endpoint.address)
        }
        let difference = pool.directory.update(to: endpoints)
        for endpoint in difference.removed {
            checks.removeValue(forKey: endpoint.address)?.end()
            policy.forgetModels(of: endpoint.address, in: pool)
        }
        for endpoint in difference.added { begin(endpoint.address, &checks, &group) }
        guard !difference.isEmpty else { return }
        policy.logger.info(
            "endpoints found",
            metadata: [
                "pool": "\(pool.settings.name)", "endpoints": "\(endpoints.count)",
                "added": "\(difference.added.count)", "removed": "\(difference.removed.count)",
            ])
    }

    // MARK: Checks

    /// Whether an endpoint is still to be checked.
    private final class Check: Sendable {
        private let isOver = Atomic(false)

        var isNeeded: Bool { !isOver.load(ordering: .relaxed) }

        func end() { isOver.store(true, ordering: .relaxed) }
    }

    private func begin(
        _ address: UpstreamAddress, _ checks: inout [UpstreamAddress: Check],
        _ group: inout TaskGroup<Void>
    ) {
        let check = Check()
        checks[address] = check
        group.addTask {
            await self.repeatCheck(of: address, check)
            // Once more: a check that was under way may have told of models behind the removal, and
            // when the pool is no more this is the end of all its checks.
            self.policy.forgetModels(of: address, in: self.pool)
        }
    }

    /// Checks at once, for nothing is sent to an endpoint of which nothing is known, and then at
    /// times of its own.
    private func repeatCheck(of address: UpstreamAddress, _ check: Check) async {
        var schedule = CheckSchedule(
            interval: pool.settings.health.interval,
            seed: seed ^ StableHash.hash(address.description))
        var version: Int?
        var question: HealthCheck?
        while !Task.isCancelled, check.isNeeded {
            let latest = pool.optionsVersion.load(ordering: .acquiring)
            if latest != version {
                version = latest
                question = pool.healthCheck(on: eventLoops)
            }
            if let question {
                let token = pool.directory.checkBegins(address)
                let result: Result<HealthCheckOutcome, LocalFault>
                do throws(LocalFault) {
                    result = .success(try await question.outcome(of: address))
                } catch {
                    result = .failure(error)
                }
                guard !Task.isCancelled, check.isNeeded else { return }
                take(result, of: address, begunAt: token)
            }
            await pause(schedule.nextPause())
        }
    }

    /// Takes in what a check told of an endpoint; one that this machine could not make tells
    /// nothing.
    func take(
        _ result: Result<HealthCheckOutcome, LocalFault>, of address: UpstreamAddress,
        begunAt token: Int
    ) {
        switch result {
        case .success(let outcome): take(outcome, of: address, begunAt: token)
        case .failure(let fault): policy.journal.localFaults.note(fault, policy.logger)
        }
        sweep(checked: address, isReady: (try? result.get())?.isReady ?? false)
    }

    private func take(
        _ outcome: HealthCheckOutcome, of address: UpstreamAddress, begunAt token: Int
    ) {
        let directory = pool.directory
        if let change = directory.checkEnded(address, outcome, begunAt: token) {
            policy.logger.log(change)
            if case .becameUnhealthy = change.transition { policy.pools?.retire(address) }
        }
        if let models = outcome.models { policy.note(models, at: address, of: pool) }
    }

    private func sweep(checked address: UpstreamAddress, isReady: Bool) {
        for change in pool.directory.sweep(checked: address, isReady: isReady) {
            policy.journal.note(change, policy.logger)
            // What it was asked is asked elsewhere.
            if case .ejected(_, .silence, _) = change { policy.pools?.retire(address) }
        }
    }
}
