import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")

@Suite("Hedging")
struct HedgingTests {
    /// A candidate that all but the budgets speak for.
    private let late = HedgeCandidate(elapsed: .seconds(1), tried: [a], alternatives: 1)

    /// A hedging that has seen latencies of 1 to 100 ms, and a thousand requests.
    private func hedging(
        _ configuration: HedgingConfiguration = HedgingConfiguration(), requests: Int = 1000
    ) -> Hedging {
        var hedging = Hedging(configuration: configuration)
        for latency in 1...100 { hedging.didAnswer(latency: .milliseconds(latency), now: .zero) }
        for _ in 0..<requests { hedging.didSend() }
        return hedging
    }

    private func decide(_ candidate: HedgeCandidate) -> HedgeDecision {
        var hedging = hedging()
        var budget = RetryBudget()
        return hedging.decide(candidate, retryBudget: &budget, now: .zero)
    }

    @Test func delay_isThePercentileOfRecentLatencies() throws {
        var hedging = hedging()
        let known = hedging.delay(now: .zero)
        let delay = try #require(known)
        #expect(abs(delay.seconds - 0.095) <= 0.095 / 16)
    }

    @Test func delay_ofFastEndpoints_isTheShortestAllowed() {
        var hedging = Hedging(configuration: HedgingConfiguration(delayMin: .milliseconds(7)))
        for _ in 0..<100 { hedging.didAnswer(latency: .microseconds(50), now: .zero) }
        #expect(hedging.delay(now: .zero) == .milliseconds(7))
    }

    @Test func delay_followsWhenEndpointsBecomeSlower() throws {
        var hedging = hedging()
        let before = hedging.delay(now: .zero)
        #expect(before != nil)
        for _ in 0..<1000 { hedging.didAnswer(latency: .seconds(2), now: .milliseconds(500)) }
        #expect(hedging.delay(now: .milliseconds(999)) == before)
        let after = hedging.delay(now: .seconds(1))
        #expect(try #require(after) > .seconds(1))
    }

    @Test func delay_withTooFewLatencies_isUnknownUntilThereAreEnough() {
        var hedging = Hedging()
        for _ in 0..<99 { hedging.didAnswer(latency: .milliseconds(5), now: .zero) }
        #expect(hedging.delay(now: .zero) == nil)
        hedging.didAnswer(latency: .milliseconds(5), now: .zero)
        #expect(hedging.delay(now: .zero) != nil)
        #expect(hedging.delay(now: .seconds(60)) == nil)
    }

    @Test func requestThatIsLate_isHedgedElsewhere() {
        var candidate = late
        candidate.tried = [a, b]
        #expect(decide(candidate) == .hedge(excluding: [a, b]))
    }

    @Test func requestThatIsNotYetLate_waitsUntilItIs() throws {
        var hedging = hedging()
        var budget = RetryBudget()
        let known = hedging.delay(now: .zero)
        let delay = try #require(known)
        var candidate = late
        candidate.elapsed = delay - .milliseconds(10)
        let first = hedging.decide(candidate, retryBudget: &budget, now: .zero)
        #expect(first == .wait(.milliseconds(10)))
        candidate.elapsed = delay
        let second = hedging.decide(candidate, retryBudget: &budget, now: .zero)
        #expect(second == .hedge(excluding: [a]))
    }

    @Test func request_isLeftForTheFirstReasonThatApplies() {
        let changes: [(HedgeDecision.LeaveReason, (inout HedgeCandidate) -> Void)] = [
            (.noOtherEndpoint, { $0.alternatives = 0 }),
            (.alreadyHedged, { $0.isHedged = true }),
            (.bodyNotReplayable, { $0.bodyReplayable = false }),
            (.notIdempotent, { $0.idempotency = .notIdempotent }),
            (.responseStarted, { $0.responseStarted = true }),
        ]
        var candidate = late
        for (reason, change) in changes {
            var alone = late
            change(&alone)
            #expect(decide(alone) == .leave(reason))
            // Together with those before it, it still goes first.
            change(&candidate)
            #expect(decide(candidate) == .leave(reason))
        }
    }

    @Test func request_beforeLatenciesAreKnown_isLeft() {
        var hedging = Hedging()
        var budget = RetryBudget()
        for _ in 0..<1000 { hedging.didSend() }
        let decision = hedging.decide(late, retryBudget: &budget, now: .zero)
        #expect(decision == .leave(.tooFewSamples))
    }

    @Test func hedges_areASmallPartOfTheRequests() {
        let configuration = HedgingConfiguration(budgetShare: 0.1, burst: 3)
        var hedging = hedging(configuration, requests: 0)
        var budget = RetryBudget(retriesMin: 1000)
        var decisions: [HedgeDecision] = []
        for _ in 0..<30 {
            hedging.didSend()
            decisions.append(hedging.decide(late, retryBudget: &budget, now: .zero))
        }
        let hedged = decisions.indices.filter { decisions[$0] == .hedge(excluding: [a]) }
        #expect(hedged == [9, 19, 29])
        #expect(decisions[0] == .leave(.hedgeBudgetExhausted))
    }

    @Test func hedgesSavedUp_areNoMoreThanABurst() {
        var hedging = hedging(HedgingConfiguration(burst: 3), requests: 100_000)
        var budget = RetryBudget(retriesMin: 1000)
        let decisions = (0..<5).map { _ in
            hedging.decide(late, retryBudget: &budget, now: .zero)
        }
        #expect(decisions.count { $0 == .hedge(excluding: [a]) } == 3)
    }

    @Test func hedge_withAnEmptyRetryBudget_isNotSentAndCostsNothing() {
        var hedging = hedging(HedgingConfiguration(burst: 1))
        var empty = RetryBudget(ratio: 0, retriesMin: 0)
        for _ in 0..<3 {
            let decision = hedging.decide(late, retryBudget: &empty, now: .zero)
            #expect(decision == .leave(.retryBudgetExhausted))
        }
        var budget = RetryBudget(ratio: 0, retriesMin: 1)
        let decision = hedging.decide(late, retryBudget: &budget, now: .zero)
        #expect(decision == .hedge(excluding: [a]))
        let isLeft = budget.withdraw(now: .zero)
        #expect(!isLeft)
    }

    @Test func requestThatIsLeft_leavesTheRetryBudgetAlone() {
        var hedging = hedging(HedgingConfiguration(budgetShare: 0))
        var budget = RetryBudget(ratio: 0, retriesMin: 1)
        let decision = hedging.decide(late, retryBudget: &budget, now: .zero)
        #expect(decision == .leave(.hedgeBudgetExhausted))
        let isLeft = budget.withdraw(now: .zero)
        #expect(isLeft)
    }

    @Test func configuration_outOfRange_isBroughtIntoIt() {
        let configuration = HedgingConfiguration(
            percentile: .nan, budgetShare: -1, burst: 0, delayMin: .seconds(-1), window: .zero,
            samplesMin: 0)
        #expect(configuration.percentile == 0.5)
        #expect(configuration.budgetShare == 0)
        #expect(configuration.burst == 1)
        #expect(configuration.delayMin == .zero)
        #expect(configuration.window == .milliseconds(100))
        #expect(configuration.samplesMin == 1)
    }
}

@Suite("Hedging, by the thousand")
struct HedgingSimulationTests {
    /// Of two endpoints each answers in 10 ms, but in 1 s once in fifty times.
    @Test func hedges_cutTheTailForOneInTwentyRequestsMore() {
        for seed in SimulationSeeds.first(30) {
            var generator = SeededGenerator(seed: seed)
            var hedging = Hedging()
            var budget = RetryBudget()
            var latencies: [Duration] = []
            var hedges = 0
            for number in 0..<4000 {
                let now = Duration.milliseconds(number * 5)
                budget.deposit(now: now)
                hedging.didSend()
                let own = latency(&generator)
                var answer = own
                if let delay = hedging.delay(now: now), own > delay {
                    let candidate = HedgeCandidate(elapsed: delay, tried: [a], alternatives: 1)
                    let decision = hedging.decide(candidate, retryBudget: &budget, now: now)
                    if decision == .hedge(excluding: [a]) {
                        hedges += 1
                        answer = min(own, delay + latency(&generator))
                    }
                }
                hedging.didAnswer(latency: answer, now: now)
                latencies.append(answer)
            }
            let settled = latencies.dropFirst(500).sorted()
            let p99 = settled[settled.count * 99 / 100]
            #expect(p99 < .milliseconds(100), "\(p99), \(SimulationSeeds.replay(seed))")
            #expect(hedges <= 4000 / 20, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func whenAllIsLate_hedgesStayWithinBothBudgets() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            let share = Double.random(in: 0.02...1, using: &generator)
            let burst = Int.random(in: 1...20, using: &generator)
            let configuration = HedgingConfiguration(
                budgetShare: share, burst: burst, samplesMin: 1)
            var hedging = Hedging(configuration: configuration)
            let ratio = Double.random(in: 0...0.5, using: &generator)
            var budget = RetryBudget(ratio: ratio, retriesMin: 5)
            hedging.didAnswer(latency: .milliseconds(1), now: .zero)
            var requests = 0
            var hedges = 0
            var isKept = true
            for _ in 0..<400 {
                if Bool.random(using: &generator) {
                    requests += 1
                    hedging.didSend()
                    budget.deposit(now: .zero)
                }
                let candidate = HedgeCandidate(elapsed: .seconds(1), tried: [a], alternatives: 1)
                let decision = hedging.decide(candidate, retryBudget: &budget, now: .zero)
                if decision == .hedge(excluding: [a]) { hedges += 1 }
                isKept = isKept && Double(hedges) <= Double(requests) * share + 0.001
                isKept = isKept && Double(hedges) <= max(5, Double(requests) * ratio)
            }
            #expect(isKept && hedges > 0, "\(SimulationSeeds.replay(seed))")
        }
    }

    private func latency(_ generator: inout SeededGenerator) -> Duration {
        Int.random(in: 0..<50, using: &generator) == 0
            ? .seconds(1) : .milliseconds(Int.random(in: 8...12, using: &generator))
    }
}
