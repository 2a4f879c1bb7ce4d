import MartletTelemetry
import Synchronization

/// Why something else was asked than what a request had named; the raw values are labels.
enum FallbackReason: String, Sendable, CaseIterable {
    /// The nodes answered that they have no room, or cannot be used.
    case refused
    /// Every node has as many requests or connections as it may.
    case full
    /// No node is healthy.
    case noEndpoint = "no_endpoint"
    /// The pool has as many requests as it can bear.
    case shed
    /// The nodes could not be connected to, or were lost while their answers were awaited.
    case unreachable
    /// The nodes did not begin to answer in time.
    case timeout
}

/// The metric of requests that were answered by something else than what they had asked.
final class FallbackCounter: Sendable {
    private struct Subject: Hashable {
        let model: String
        let fallback: String
        let reason: FallbackReason
    }

    /// Pairs of models and reasons that are told apart; clients choose the names of models.
    private static let subjectsMax = 1000

    private let family: CounterFamily
    private let counters = Mutex<[Subject: Counter]>([:])

    init(_ metrics: MetricsRegistry) {
        family = metrics.counterFamily(
            "martlet_gateway_fallbacks_total",
            help: "Requests that were sent to another model or pool than they had asked, by why.",
            labelNames: ["model", "fallback", "reason"])
    }

    /// Counts that a model was asked in place of another.
    func add(_ fallback: String, insteadOf model: String, _ reason: FallbackReason) {
        counters.withLock { known in
            let subject = Subject(model: model, fallback: fallback, reason: reason)
            if let counter = known[subject] { return counter }
            let isFull = known.count >= FallbackCounter.subjectsMax
            let made = family.with(
                isFull ? "other" : model, isFull ? "other" : fallback, reason.rawValue)
            if !isFull { known[subject] = made }
            return made
        }.increment()
    }
}
