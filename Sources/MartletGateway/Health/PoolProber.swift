import MartletCore
import MartletTransport
import Synchronization

/// Tells that endpoints were picked, and so are to be probed.
///
/// Whoever picks never waits: while nobody listens, a pick costs a look at a flag.
final class ProbeSignal: Sendable {
    fileprivate let wakes: AsyncStream<Void>
    private let waking: AsyncStream<Void>.Continuation
    private let isAwaited = Atomic(true)

    init() {
        (wakes, waking) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// An endpoint was picked.
    func didPick() {
        guard isAwaited.load(ordering: .relaxed), isAwaited.exchange(false, ordering: .relaxed)
        else { return }
        waking.yield()
    }

    /// Wants to hear of the next pick.
    fileprivate func listen() { isAwaited.store(true, ordering: .relaxed) }
}

/// Asks the endpoints of a pool for their load where its balancer wants to know, at most so often
/// and so many at once, beside the requests.
///
/// Source: the asynchronous probes of Prequal (NSDI 2024): each query calls for some, and uses the
/// answers to earlier ones.
final class PoolProber: Sendable {
    private let pool: PoolRuntime
    private let signal: ProbeSignal
    private let upstreams: UpstreamPools
    private let journal: GatewayJournal
    private let gate: Shared<ProbeGate>

    /// `nil` for a pool that nothing is probed of.
    init?(_ pool: PoolRuntime, policy: GatewayPolicy) {
        guard let signal = pool.probeSignal, let upstreams = policy.pools else { return nil }
        self.pool = pool
        self.signal = signal
        self.upstreams = upstreams
        journal = policy.journal
        var configuration = ProbeGate.Configuration()
        configuration.concurrentMax = pool.settings.probes.concurrentMax
        gate = Shared(ProbeGate(configuration: configuration))
    }

    /// How often the balancer is asked without picks; it has a period of its own.
    private static let idlePause = Duration.seconds(1)

    /// Works until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    self.signal.didPick()
                    try? await Task.sleep(for: PoolProber.idlePause)
                }
            }
            for await _ in signal.wakes {
                let due = next()
                for address in due { group.addTask { await self.probe(address) } }
                let spacing = pool.settings.probes.spacing
                // Where none could be asked now, one may be soon.
                try? await Task.sleep(for: due.isEmpty ? min(spacing, .milliseconds(10)) : spacing)
                signal.listen()
            }
            group.cancelAll()
        }
    }

    /// The endpoints to be asked now.
    private func next() -> [UpstreamAddress] {
        let directory = pool.directory
        let wanted = directory.endpointsToProbe()
        let now = directory.now
        let known = Set(directory.addresses.map(\.id))
        let admitted = gate.withLock { gate in
            gate.keep(only: known)
            return Set(gate.admit(wanted.map(\.id), now: now))
        }
        return wanted.filter { admitted.contains($0.id) }
    }

    private func probe(_ address: UpstreamAddress) async {
        let answer = await upstreams.probeLoad(
            of: address, path: pool.settings.health.path, timeout: pool.settings.probes.timeout)
        let outcome: ProbeGate.Outcome =
            switch answer {
            case .report(let report):
                pool.directory.takeProbe(report, from: address) ? .taken : .silent
            case .silent: .silent
            case .failed: .failed
            }
        journal.didProbe(outcome)
        let now = pool.directory.now
        gate.withLock { $0.didEnd(address.id, outcome, now: now) }
    }
}
