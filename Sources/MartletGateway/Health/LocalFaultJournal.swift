import Logging
import MartletTelemetry
import MartletTransport
import Synchronization

/// Counts what the gateway's own machine could not do, and warns of it now and then.
final class LocalFaultJournal: Sendable {
    /// The least time between two warnings of the same fault.
    static let pause = Duration.seconds(10)

    private struct Member {
        var lastWarning: ContinuousClock.Instant?
        /// How often it was met since.
        var count = 0
    }

    private let counters: CounterFamily
    private let members = Mutex<[LocalFault: Member]>([:])

    init(_ metrics: MetricsRegistry) {
        counters = metrics.counterFamily(
            "martlet_gateway_local_faults_total",
            help: "Connections that the gateway's own machine could not open, by why.",
            labelNames: ["cause"])
    }

    /// Takes in that a connection could not be opened.
    func note(_ fault: LocalFault, _ logger: Logger, now: ContinuousClock.Instant = .now) {
        counters.with(fault.rawValue).increment()
        guard let count = dueCount(fault, now: now) else { return }
        logger.warning(
            "connections to endpoints cannot be opened: \(fault.text); \(fault.remedy)",
            metadata: ["cause": "\(fault.rawValue)", "times": "\(count)"])
    }

    /// How often a fault was met since the last warning of it; nil where it is too early for one.
    private func dueCount(_ fault: LocalFault, now: ContinuousClock.Instant) -> Int? {
        members.withLock { members in
            var member = members[fault] ?? Member()
            member.count += 1
            let isDue = member.lastWarning.map { now - $0 >= Self.pause } ?? true
            let count = member.count
            if isDue { member = Member(lastWarning: now) }
            members[fault] = member
            return isDue ? count : nil
        }
    }
}
