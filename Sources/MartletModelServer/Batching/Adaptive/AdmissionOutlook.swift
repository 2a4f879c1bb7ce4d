import MartletCore

/// What becomes of a task that has just come, as far as can be told.
struct AdmissionOutlook: Sendable {
    /// Runs that must have been seen before a task is refused.
    static let runsMinimum = 4

    /// Seconds until its batch begins.
    let wait: Double
    /// Seconds its batch runs.
    let run: Double
    /// How much longer the longest runs take, as a share of the run.
    let margin: Double
    /// Seconds it would run alone.
    let ownRun: Double
    /// Seconds that the smallest batch runs.
    let shortestRun: Double
    /// Rows that go before it.
    let rowsAhead: Int
    /// Whether a thread is free and nothing waits.
    let isFree: Bool

    /// Refuses a task that would be answered after its client stopped waiting.
    ///
    /// - Parameter deadline: seconds that the client waits.
    /// - Throws: `BatchRefusal`.
    func check(deadline: Double) throws {
        let seconds = isFree ? ownRun : wait + run
        guard seconds > deadline else { return }
        throw refusal(
            .deadline, seconds,
            "after its deadline in \(AdmissionOutlook.milliseconds(max(0, deadline))) ms",
            retry: seconds - deadline)
    }

    /// Refuses a task that would be answered after the target; never when nothing is in its way.
    ///
    /// - Parameters:
    ///   - target: the target latency of the model.
    ///   - budget: how much of it may be planned with.
    ///   - age: seconds since it arrived.
    /// - Throws: `BatchRefusal`.
    func check(target: Duration, budget: LatencyBudget, age: Double) throws {
        guard !isFree else { return }
        let seconds = age + wait + run * (1 + margin)
        // What takes long by itself is not late for what waits before it.
        let allowed = budget.admissionSeconds(shortestRun: max(shortestRun, ownRun))
        guard seconds > allowed else { return }
        throw refusal(
            .target, seconds,
            "after the target of \(AdmissionOutlook.milliseconds(target.seconds)) ms "
                + "(target_latency_ms_p99)",
            retry: seconds - allowed)
    }

    private func refusal(
        _ bound: BatchRefusal.Bound, _ seconds: Double, _ late: String, retry: Double
    ) -> BatchRefusal {
        BatchRefusal(
            bound,
            "The request would be answered in \(AdmissionOutlook.milliseconds(seconds)) ms (rows "
                + "before it: \(rowsAhead)), \(late). Try again in "
                + "\(max(1, AdmissionOutlook.milliseconds(retry))) ms or add nodes")
    }

    private static func milliseconds(_ seconds: Double) -> Int {
        Int(min(seconds * 1000, 1e12).rounded(.up))
    }
}
