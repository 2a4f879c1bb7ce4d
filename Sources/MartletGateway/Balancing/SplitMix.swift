/// A generator of random numbers that is the same on every machine: SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts a sequence.
    init(seed: UInt64) {
        state = seed
    }

    /// The next 64 random bits.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return SplitMix.finished(state)
    }

    /// Spreads what tells two numbers apart over all 64 bits.
    static func finished(_ bits: UInt64) -> UInt64 {
        var mixed = bits
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension SplitMix {
    /// Draws two candidates, each as likely as its weight is large, and answers with the one of the
    /// lower cost, the first drawn where that is equal; nil if there is no candidate.
    ///
    /// With equal weights this is the power of two choices. Were the draw even where the candidates
    /// are not, two bad ones would be drawn together often enough to be felt.
    mutating func betterOfTwo(
        _ candidates: [Int], weight: (Int) -> Double, cost: (Int) -> Double
    ) -> Int? {
        guard let first = draw(from: candidates, weight: weight) else { return nil }
        guard let second = draw(from: candidates, but: first, weight: weight) else { return first }
        return cost(second) < cost(first) ? second : first
    }

    /// A candidate other than `passed`, each as likely as its weight is large: finite and above
    /// zero.
    private mutating func draw(
        from candidates: [Int], but passed: Int? = nil, weight: (Int) -> Double
    ) -> Int? {
        var total = 0.0
        for candidate in candidates where candidate != passed {
            total += weight(candidate)
        }
        guard total > 0, total.isFinite else { return candidates.first { $0 != passed } }
        var left = Double.random(in: 0..<total, using: &self)
        var last: Int?
        for candidate in candidates where candidate != passed {
            last = candidate
            left -= weight(candidate)
            if left < 0 { return candidate }
        }
        // Sums of rounded numbers may fall short by a little.
        return last
    }

    /// So many different candidates in random order, or all if there are fewer.
    mutating func sample(_ count: Int, of candidates: [Int]) -> [Int] {
        guard count < candidates.count else { return candidates.shuffled(using: &self) }
        var sample: [Int] = []
        // Floyd's algorithm: no copy of the candidates, however many there are.
        for last in candidates.count - max(count, 0)..<candidates.count {
            let drawn = candidates[Int.random(in: 0...last, using: &self)]
            sample.append(sample.contains(drawn) ? candidates[last] : drawn)
        }
        sample.shuffle(using: &self)
        return sample
    }

    /// The candidate of the lowest cost; one of them at random where several have it.
    ///
    /// One without a cost is passed by.
    mutating func lowest(of candidates: some Sequence<Int>, cost: (Int) -> Double?) -> Int? {
        var best: (candidate: Int, cost: Double)?
        var ties = 1
        for candidate in candidates {
            guard let cost = cost(candidate) else { continue }
            guard let leader = best, cost >= leader.cost else {
                best = (candidate, cost)
                ties = 1
                continue
            }
            guard cost == leader.cost else { continue }
            ties += 1
            if Int.random(in: 0..<ties, using: &self) == 0 { best = (candidate, cost) }
        }
        return best?.candidate
    }
}
