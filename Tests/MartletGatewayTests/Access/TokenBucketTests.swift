import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Token bucket")
struct TokenBucketTests {
    private let tenASecond = TokenRate(perSecond: 10, burst: 5)

    /// Spends single tokens as long as they are granted.
    private func spendAll(_ bucket: inout TokenBucket, _ rate: TokenRate, now: Duration) -> Int {
        var spent = 0
        while bucket.spend(1, rate, now: now) == .granted { spent += 1 }
        return spent
    }

    @Test func newBucket_holdsABurst() {
        var bucket = TokenBucket()
        #expect(bucket.isFull(now: .zero))
        #expect(bucket.remaining(tenASecond, now: .zero) == 5)
        #expect(spendAll(&bucket, tenASecond, now: .zero) == 5)
        #expect(bucket.remaining(tenASecond, now: .zero) == 0)
    }

    @Test func emptyBucket_saysHowLongTheNextTokensTake() {
        var bucket = TokenBucket()
        _ = spendAll(&bucket, tenASecond, now: .zero)
        #expect(bucket.spend(1, tenASecond, now: .zero) == .refused(wait: .milliseconds(100)))
        #expect(bucket.spend(3, tenASecond, now: .zero) == .refused(wait: .milliseconds(300)))
        #expect(
            bucket.spend(3, tenASecond, now: .milliseconds(120))
                == .refused(wait: .milliseconds(180)))
        #expect(bucket.spend(3, tenASecond, now: .milliseconds(300)) == .granted)
    }

    @Test func refusal_costsNothing() {
        var bucket = TokenBucket()
        _ = bucket.spend(3, tenASecond, now: .zero)
        for _ in 0..<10 { _ = bucket.spend(3, tenASecond, now: .zero) }
        #expect(bucket.remaining(tenASecond, now: .zero) == 2)
        #expect(bucket.spend(2, tenASecond, now: .zero) == .granted)
    }

    @Test func pause_fillsItToABurstAndNoFurther() {
        var bucket = TokenBucket()
        _ = spendAll(&bucket, tenASecond, now: .zero)
        #expect(bucket.timeToFull(now: .zero) == .milliseconds(500))
        #expect(!bucket.isFull(now: .milliseconds(499)))
        #expect(bucket.isFull(now: .milliseconds(500)))
        #expect(spendAll(&bucket, tenASecond, now: .seconds(1_000_000)) == 5)
    }

    @Test func costBeyondTheBurst_canNeverBePaid() {
        var bucket = TokenBucket()
        #expect(bucket.spend(6, tenASecond, now: .zero) == .impossible)
        #expect(bucket.spend(.max, tenASecond, now: .zero) == .impossible)
        #expect(bucket.isFull(now: .zero))
    }

    @Test(arguments: [0, -1, Int.min])
    func costBelowOne_countsAsOne(cost: Int) {
        var bucket = TokenBucket()
        #expect(bucket.spend(cost, tenASecond, now: .zero) == .granted)
        #expect(bucket.remaining(tenASecond, now: .zero) == 4)
    }

    @Test func timeThatRunsBackwards_grantsNothing() {
        var bucket = TokenBucket()
        _ = spendAll(&bucket, tenASecond, now: .seconds(100))
        #expect(spendAll(&bucket, tenASecond, now: .seconds(50)) == 0)
        #expect(spendAll(&bucket, tenASecond, now: .seconds(100)) == 0)
    }

    @Test func rateThatChanges_holdsFromThenOn() {
        var bucket = TokenBucket()
        _ = spendAll(&bucket, tenASecond, now: .zero)
        let slower = TokenRate(perSecond: 1, burst: 5)
        #expect(bucket.spend(1, slower, now: .zero) == .granted, "the burst is 5 s long now")
        let faster = TokenRate(perSecond: 1000, burst: 1)
        #expect(bucket.remaining(faster, now: .zero) == 0)
    }

    @Test(arguments: [
        (0, 1e-9, 1), (-5, 1e-9, 1), (Double.nan, 1e-9, 1), (.infinity, 1e9, 1_000_000_000),
        (0.2, 0.2, 1), (2.5, 2.5, 3),
    ])
    func rate_outOfRange_isBroughtIntoIt(given: Double, perSecond: Double, burst: Int) {
        let rate = TokenRate(perSecond: given)
        #expect(rate.perSecond == perSecond && rate.burst == burst)
    }

    @Test(arguments: [1e-9, 1, 1e9], [1, 1_000_000_000])
    func extremeRates_doNotOverflow(perSecond: Double, burst: Int) {
        let rate = TokenRate(perSecond: perSecond, burst: burst)
        var bucket = TokenBucket()
        #expect(bucket.remaining(rate, now: .zero) == burst)
        #expect(bucket.spend(burst, rate, now: .zero) == .granted)
        #expect(bucket.remaining(rate, now: .zero) == 0)
        guard case .refused(let wait) = bucket.spend(burst, rate, now: .zero) else {
            Issue.record("granted twice")
            return
        }
        #expect(abs(wait.seconds / (Double(burst) / perSecond) - 1) < 1e-9)
    }

    /// Over no time at all may more be granted than a burst and what came in it.
    @Test func grantedTokens_neverExceedBurstAndRate() {
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            let rate = TokenRate(
                perSecond: .random(in: 0.1...50, using: &generator),
                burst: .random(in: 1...20, using: &generator))
            var bucket = TokenBucket()
            var now = Duration.zero
            var grants: [(at: Duration, tokens: Int)] = []
            var excess = 0.0
            for _ in 0..<60 {
                now += .milliseconds(Int.random(in: 0...300, using: &generator))
                let tokens = Int.random(in: 1...6, using: &generator)
                guard bucket.spend(tokens, rate, now: now) == .granted else { continue }
                grants.append((now, tokens))
                var sum = 0
                for grant in grants.reversed() {
                    sum += grant.tokens
                    let most = Double(rate.burst) + (now - grant.at).seconds * rate.perSecond
                    excess = max(excess, Double(sum) - most)
                }
            }
            #expect(excess < 1e-6 && !grants.isEmpty, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func wait_isExactlyAsLongAsIsSaid() {
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            let rate = TokenRate(
                perSecond: .random(in: 0.1...50, using: &generator),
                burst: .random(in: 1...20, using: &generator))
            var bucket = TokenBucket()
            var now = Duration.zero
            var isKept = true
            for _ in 0..<60 {
                now += .milliseconds(Int.random(in: 0...300, using: &generator))
                let tokens = Int.random(in: 1...rate.burst, using: &generator)
                let remaining = bucket.remaining(rate, now: now)
                let full = bucket.timeToFull(now: now)
                var copy = bucket
                switch bucket.spend(tokens, rate, now: now) {
                case .granted:
                    isKept = isKept && tokens <= remaining
                    let fullAt = now + full + rate.interval * tokens
                    isKept = isKept && bucket.isFull(now: fullAt)
                    isKept = isKept && !bucket.isFull(now: fullAt - .nanoseconds(1))
                case .refused(let wait):
                    isKept = isKept && tokens > remaining
                    let early = copy.spend(tokens, rate, now: now + wait - .nanoseconds(1))
                    isKept = isKept && early != .granted
                    let late = copy.spend(tokens, rate, now: now + wait)
                    isKept = isKept && late == .granted
                case .impossible:
                    isKept = false
                }
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }
}
