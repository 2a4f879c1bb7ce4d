internal import Foundation

/// Bounds of a probability of which only so many cases out of so many are known.
///
/// Source: W. Hoeffding, "Probability inequalities for sums of bounded random variables", Journal
/// of the American Statistical Association 58, 1963, theorem 1 (the bound of Chernoff): with
/// probability p, a share of a ≥ p of n cases comes about with a chance of at most
/// exp(-n · KL(a ‖ p)). It holds for every n, so that no smallest sample is needed; normal
/// approximations are wrong just where failures are few.
struct BinomialBound: Sendable {
    /// The chance with which a bound may be wrong.
    let risk: Double

    /// The lowest probability that is credible.
    func lower(_ cases: Int, of total: Int) -> Double {
        guard cases > 0, total > 0 else { return 0 }
        return edge(between: Double(cases) / Double(total), and: 0, total: total)
    }

    /// The highest probability that is credible.
    func upper(_ cases: Int, of total: Int) -> Double {
        guard cases < total else { return 1 }
        return edge(between: Double(cases) / Double(total), and: 1, total: total)
    }

    /// The credible probability that is farthest from what was seen, by bisection.
    private func edge(between seen: Double, and end: Double, total: Int) -> Double {
        let limit = -log(risk) / Double(total)
        var (credible, incredible) = (seen, end)
        for _ in 0..<50 {
            let middle = (credible + incredible) / 2
            if Self.divergence(seen, middle) <= limit {
                credible = middle
            } else {
                incredible = middle
            }
        }
        // On the safe side of what was searched.
        return incredible
    }

    /// The divergence of Kullback and Leibler between two coins.
    private static func divergence(_ seen: Double, _ supposed: Double) -> Double {
        func term(_ seen: Double, _ supposed: Double) -> Double {
            seen > 0 ? seen * log(seen / supposed) : 0
        }
        return term(seen, supposed) + term(1 - seen, 1 - supposed)
    }
}
