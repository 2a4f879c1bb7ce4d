import MartletTransport

/// How many attempts requests of a route get.
extension RouteRuntime {
    /// Counts a new request, of which some may be tried again.
    func deposit(now: Duration) {
        budget.withLock { $0.deposit(now: now) }
        hedging?.withLock { $0.didSend() }
    }

    /// Whether there may be another attempt at a request, which then is counted.
    func allowsRetry(after failed: FailedForwarding, now: Duration) -> Bool {
        let failure = failed.failure.asAttemptFailure
        guard retriedFailures.contains(failure) else { return false }
        let attempt = FailedAttempt(
            tried: [], attempt: failed.tried.count, attemptsMax: settings.retries.attemptsMax,
            responseStarted: failed.responseStarted, bodyReplayable: failed.isReplayable,
            idempotency: failed.plan.isIdempotent ? .idempotent : .notIdempotent,
            failure: failure)
        let decision = budget.withLock {
            RetryDecision.decide(after: attempt, budget: &$0, now: now)
        }
        if case .retry = decision { return true }
        return false
    }

    /// Nobody could be asked for another attempt that was allowed: it costs nothing.
    func didNotRetry(after failure: ForwardingFailure, now: Duration) {
        guard !failure.asAttemptFailure.isFree else { return }
        budget.withLock { $0.giveBack(now: now) }
    }

    /// After how long a request is looked at that may be hedged; `nil` for never.
    func hedgingDelay(now: Duration) -> Duration? { hedging?.withLock { $0.delay(now: now) } }

    /// Takes in how long an answer took.
    func didAnswer(latency: Duration, now: Duration) {
        hedging?.withLock { $0.didAnswer(latency: latency, now: now) }
    }

    /// Whether a request is sent to another endpoint as well, which then is counted.
    func hedge(_ waiting: WaitingForwarding, alternatives: Int, now: Duration) -> HedgeDecision {
        let decision = hedging?.withLock { hedging in
            let candidate = HedgeCandidate(
                elapsed: waiting.elapsed,
                idempotency: waiting.plan.isIdempotent ? .idempotent : .notIdempotent,
                isHedged: waiting.tried.count >= hedging.configuration.attemptsMax,
                tried: Set(waiting.tried.map(\.id)), alternatives: alternatives)
            return budget.withLock {
                hedging.decide(candidate, retryBudget: &$0, now: now)
            }
        }
        return decision ?? .leave(.alreadyHedged)
    }

    /// Nobody could be asked for a hedge that was allowed: it costs nothing.
    func didNotHedge(now: Duration) {
        hedging?.withLock { $0.giveBack() }
        budget.withLock { $0.giveBack(now: now) }
    }
}

extension TrafficPolicy.Hedging {
    var configuration: HedgingConfiguration {
        switch delay {
        case .fixed(let delay):
            HedgingConfiguration(
                fixedDelay: delay, attemptsMax: attemptsMax, budgetShare: budgetShare)
        case .quantile(let share):
            HedgingConfiguration(
                percentile: share, attemptsMax: attemptsMax, budgetShare: budgetShare)
        }
    }
}
