import MartletCore
import MartletEngines
import MartletTelemetry
import Synchronization

/// What the node says of itself: whether it is ready, and how busy it is.
final class NodeHealth: Sendable {
    /// The rates of a report are made anew when the last ones are older than this.
    private static let reportPeriod: Duration = .milliseconds(500)

    private struct Reporting {
        var meter: LoadMeter
        var report = LoadReport()
        var madeAt: ContinuousClock.Instant?
    }

    let manager: ModelManager
    private let threads: EngineThreads
    private let batches: BatchScheduler?
    private let journal: RequestJournal
    private let stallWatch: StallWatch
    private let isDraining = Atomic<Bool>(false)
    private let reporting: Mutex<Reporting>

    init(
        manager: ModelManager, threads: EngineThreads, batches: BatchScheduler?,
        journal: RequestJournal, processors: Int,
        stallWatch: StallWatch = StallWatch(limit: nil)
    ) {
        self.batches = batches
        self.manager = manager
        self.threads = threads
        self.journal = journal
        self.stallWatch = stallWatch
        reporting = Mutex(
            Reporting(meter: LoadMeter(engineThreads: threads.count, processors: processors)))
    }

    /// Whether the node may be sent requests.
    enum Readiness {
        /// Storage has not been looked through yet.
        case starting
        /// Every model answers.
        case ready
        /// These models have no available version.
        case unavailable([String])
        /// These language models answer nobody: their decode loops hang.
        case stalled([StallWatch.Stall])
        /// The node shuts down.
        case draining
    }

    /// Whether the node may be sent requests.
    var readiness: Readiness {
        if isDraining.load(ordering: .relaxed) { return .draining }
        guard manager.hasSeenStorage else { return .starting }
        let missing = manager.unavailableModels
        guard missing.isEmpty else { return .unavailable(missing) }
        let stalls = self.stalls
        return stalls.isEmpty ? .ready : .stalled(stalls)
    }

    /// The language models whose decode loops hang.
    var stalls: [StallWatch.Stall] {
        guard stallWatch.limit != nil else { return [] }
        return stallWatch.stalls(of: manager.languageModels)
    }

    /// Whether a model answers, or would once somebody asks for it.
    func isReady(model: String, version: VersionChoice) -> Bool {
        manager.isReady(model: model, version: version) && !stalls.contains { $0.id.model == model }
    }

    /// Whether every model answers.
    var isReady: Bool {
        if case .ready = readiness { true } else { false }
    }

    /// Makes the node unready, so that gateways send nothing new.
    func startDraining() { isDraining.store(true, ordering: .relaxed) }

    /// How busy the node has been lately, and what it has under way now.
    var loadReport: LoadReport { loadReport(besides: 0) }

    /// The same, without some requests that are under way, such as the one that asks.
    func loadReport(besides own: Int) -> LoadReport {
        let now = ContinuousClock.now
        let counts = journal.counts
        let queueDepth = threads.queueDepth + (batches?.queuedTasks ?? 0)
        var report = reporting.withLock { state in
            if let madeAt = state.madeAt, now - madeAt < NodeHealth.reportPeriod {
                return state.report
            }
            state.madeAt = now
            state.report = state.meter.record(
                LoadMeter.Sample(
                    instantNanoseconds: NodeHealth.nanoseconds(now),
                    busyNanoseconds: threads.busyNanoseconds &+ (batches?.busyNanoseconds ?? 0),
                    cpuNanoseconds: ProcessMetrics.cpuNanoseconds(),
                    completedRequests: counts.completed, failedRequests: counts.failed,
                    requestsInFlight: counts.open, queueDepth: queueDepth))
            return state.report
        }
        let others = max(0, counts.open - own)
        report.requestsInFlight = Double(others)
        report.queueDepth = Double(queueDepth)
        // Microseconds: more digits would only lengthen a header.
        report.latencySeconds = journal.latency(inFlight: others).map {
            ($0 * 1e6).rounded() / 1e6
        }
        return report
    }

    private static let origin = ContinuousClock.now

    private static func nanoseconds(_ instant: ContinuousClock.Instant) -> UInt64 {
        UInt64(max(0, (instant - origin).seconds) * 1e9)
    }
}
