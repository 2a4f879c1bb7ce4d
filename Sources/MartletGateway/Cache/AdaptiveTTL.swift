import MartletCore

/// How long an answer stays fresh.
///
/// The rule, in this order:
///
/// 1. A model that has not changed for a time `t` is trusted for `t * stabilityShare` more. Answers
///    are invalidated when the gateway learns of a change, so this bounds the harm of a change that
///    it does not learn of. Source: the heuristic freshness of HTTP (RFC 9111, section 4.2.2: a
///    tenth of the time since the last modification).
/// 2. Of what that allows beyond the minimum, an answer gets the share of the model's recent
///    requests that were answered from the cache. Where answers are not asked for again, a long
///    life wins nothing, and the answers are in the way of others.
/// 3. Memory pressure takes up to `pressureShare` of that away, so that room comes from what is old
///    before it comes from what is asked for.
/// 4. The minimum and the maximum hold in any case.
///
/// So it never shrinks as hits become more frequent or the model older, and never grows with
/// pressure.
struct AdaptiveTTL: Sendable, Equatable {
    /// The shortest life (default 10 s).
    let minimum: Duration
    /// The longest life, at most 30 days (default 1 h).
    let maximum: Duration
    /// The part of a model's age for which it is trusted to stay the same, 0 or more (default 0.1).
    let stabilityShare: Double
    /// The part of a life, beyond the minimum, that the highest pressure takes away, from 0 to 1
    /// (default 0.75).
    let pressureShare: Double

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    init(
        minimum: Duration = .seconds(10), maximum: Duration = .seconds(3600),
        stabilityShare: Double = 0.1, pressureShare: Double = 0.75
    ) {
        self.maximum = min(max(maximum, .zero), .seconds(30 * 24 * 3600))
        self.minimum = min(max(minimum, .zero), self.maximum)
        self.stabilityShare = stabilityShare > 0 ? min(stabilityShare, 1e6) : 0
        self.pressureShare = AdaptiveTTL.share(pressureShare)
    }

    /// The life of an answer that is stored now.
    ///
    /// - Parameters:
    ///   - hitRate: the share of the model's recent requests answered from the cache, from 0 to 1.
    ///   - stableFor: how long ago the model last changed.
    ///   - pressure: how scarce memory is, from 0 to 1.
    /// - Returns: the life, from the minimum to the maximum.
    func duration(hitRate: Double, stableFor: Duration, pressure: Double) -> Duration {
        let trusted = min(max(stableFor, .zero).seconds * stabilityShare, maximum.seconds)
        let allowed = max(trusted - minimum.seconds, 0)
        let earned = allowed * AdaptiveTTL.share(hitRate)
        let left = earned * (1 - pressureShare * AdaptiveTTL.share(pressure))
        return min(max(minimum + .seconds(left), minimum), maximum)
    }

    /// The figure within 0 and 1; 0 if it is none.
    private static func share(_ figure: Double) -> Double {
        figure > 0 ? min(figure, 1) : 0
    }
}
