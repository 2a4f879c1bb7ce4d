extension CanaryController.Fault: CustomStringConvertible {
    /// The fault in words, for the log.
    var description: String {
        switch self {
        case .errorRate(let candidate, let allowed):
            "error rate \(percent(candidate)), allowed \(percent(allowed))"
        case .latency(let candidate, let allowed):
            "99th percentile of latency \(milliseconds(candidate)), allowed "
                + milliseconds(allowed)
        case .byOperator: "an operator asked for it"
        }
    }
}

extension CanaryController.HoldReason: CustomStringConvertible {
    /// The reason in words, for the log.
    var description: String {
        switch self {
        case .tooFewRequests(let baseline, let candidate):
            "too few requests: \(candidate) of the candidate, \(baseline) of the baseline"
        case .looksWorse(let fault): "the candidate looks worse: \(fault)"
        }
    }
}

extension CanaryController.Event: CustomStringConvertible {
    /// The event in words, for the log.
    var description: String {
        switch self {
        case .steppedUp(let before, let after):
            "canary gets \(percent(after)) of requests, \(percent(before)) before"
        case .held(let reason): "canary is held: \(reason)"
        case .completed(let weight): "canary is complete at \(percent(weight)) of requests"
        case .rolledBack(let fault, let answers):
            "canary is rolled back after \(answers) answers: \(fault)"
        }
    }
}

private func percent(_ share: Double) -> String {
    "\((share * 10_000).rounded() / 100) %"
}

private func milliseconds(_ duration: Duration) -> String {
    "\((duration / .microseconds(1)).rounded() / 1000) ms"
}
