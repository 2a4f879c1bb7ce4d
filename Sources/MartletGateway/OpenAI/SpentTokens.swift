import MartletTelemetry
import Synchronization

/// The metric of the tokens that tenants have spent on models.
final class SpentTokens: Sendable {
    private struct Subject: Hashable {
        let tenant: String
        let model: String
    }

    private struct Counters {
        let input: Counter
        let output: Counter
    }

    /// Tenants of a model each that are told apart; all others are `other` of `other`.
    private static let subjectsMax = 1000

    private let family: CounterFamily
    // Looked up once: the lookup by label values costs more than the increment.
    private let counters = Mutex<[Subject: Counters]>([:])

    init(_ metrics: MetricsRegistry) {
        family = metrics.counterFamily(
            "martlet_gateway_tokens_total",
            help: "Tokens that language models have read (input) or written (output) for a tenant.",
            labelNames: ["tenant", "model", "kind"])
    }

    /// Counts what an answer has cost.
    func add(_ spend: TokenSpend, tenant: String, model: String) {
        let counters = counters(of: Subject(tenant: tenant, model: model))
        counters.input.increment(by: spend.input)
        counters.output.increment(by: spend.output)
    }

    private func counters(of subject: Subject) -> Counters {
        counters.withLock { known in
            if let counters = known[subject] { return counters }
            let isFull = known.count >= SpentTokens.subjectsMax
            let kept = isFull ? Subject(tenant: "other", model: "other") : subject
            let made = Counters(
                input: family.with(kept.tenant, kept.model, "input"),
                output: family.with(kept.tenant, kept.model, "output"))
            if !isFull { known[subject] = made }
            return made
        }
    }
}
