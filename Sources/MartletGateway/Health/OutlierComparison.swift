/// What one endpoint did in an interval, for comparison with the others.
struct OutlierTally: Sendable, Equatable {
    let id: EndpointID
    /// Requests that tell whether it is well.
    let requests: Int
    /// Those of them that failed.
    let failures: Int
    /// Those of them that were answered, and well.
    let answers: Int
    /// The median latency of the answers; nil without any.
    let latencyMedian: Duration?

    var failureShare: Double { requests > 0 ? Double(failures) / Double(requests) : 0 }
    var successRate: Double { 1 - failureShare }
}

/// An endpoint that does worse than it should.
struct Outlier: Sendable, Equatable {
    let id: EndpointID
    let cause: EjectionCause
    /// Orders outliers of the same comparison: the worst are ejected first, where not all may be.
    let badness: Double
}

extension OutlierDetectionConfiguration.SuccessRate {
    /// The endpoints whose success rate is below the mean less so many standard deviations.
    ///
    /// Source: Envoy's success rate ejection; gRFC A50. The deviation is that of the whole
    /// population, as there.
    func outliers(among tallies: [OutlierTally]) -> [Outlier] {
        let compared = tallies.filter { $0.requests >= requestsMin }
        guard compared.count >= endpointsMin else { return [] }
        let rates = compared.map(\.successRate)
        let mean = rates.reduce(0, +) / Double(rates.count)
        let variance =
            rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count)
        let bound = mean - max(deviations * variance.squareRoot(), marginMin)
        return compared.filter { $0.successRate < bound }.map {
            Outlier(
                id: $0.id, cause: .successRate($0.successRate, below: bound),
                badness: $0.failureShare)
        }
    }
}

extension OutlierDetectionConfiguration.FailureShare {
    /// The endpoints at which at least the threshold's part of the requests failed.
    ///
    /// Source: gRFC A50, failure percentage.
    func outliers(among tallies: [OutlierTally]) -> [Outlier] {
        let judged = tallies.filter { $0.requests >= requestsMin }
        guard judged.count >= endpointsMin else { return [] }
        return judged.filter { $0.failureShare >= threshold }.map {
            Outlier(id: $0.id, cause: .failureShare($0.failureShare), badness: $0.failureShare)
        }
    }
}

extension OutlierDetectionConfiguration.Latency {
    /// The endpoints whose median latency is too many times the median of the others' medians.
    ///
    /// Medians, since neither a few long requests nor a second outlier must move what an endpoint
    /// is compared with.
    func outliers(among tallies: [OutlierTally]) -> [Outlier] {
        let compared = tallies.filter { $0.answers >= requestsMin }
            .compactMap { tally in tally.latencyMedian.map { (id: tally.id, median: $0) } }
            .sorted { $0.median < $1.median }
        guard compared.count >= endpointsMin else { return [] }
        let medians = compared.map(\.median)
        return compared.indices.compactMap { index in
            let (id, own) = compared[index]
            let others = Self.median(of: medians, without: index)
            guard own >= others * factor, own - others >= marginMin else { return nil }
            return Outlier(
                id: id, cause: .latency(own, others: others),
                badness: own / max(others, .microseconds(1)))
        }
    }

    /// The median of sorted durations, at least two of them, one of which is left out.
    static func median(of sorted: [Duration], without left: Int) -> Duration {
        let remaining = sorted.count - 1
        let upper = remaining / 2
        let lower = (remaining - 1) / 2
        let values = [lower, upper].map { sorted[$0 < left ? $0 : $0 + 1] }
        return (values[0] + values[1]) / 2
    }
}
