/// What each endpoint can carry relative to the others, by its own load reports.
///
/// The rules of gRFC A58 (client-side weighted round robin): what an endpoint carries now, divided
/// by how full that makes it. Where there is nothing to go by, because an endpoint is new, silent
/// or idle, it gets the mean of the others, times what its operator says of it. A newly healthy endpoint ramps up to its weight. See
/// ``LoadSample``, ``BalancingConfiguration``.
///
/// Weights change only in ``update(now:)``.
struct ReportedWeights: Sendable {
    let configuration: BalancingConfiguration
    private var members: [EndpointID: Member] = [:]
    private var lastUpdate: Duration?

    init(configuration: BalancingConfiguration) {
        self.configuration = configuration
    }

    /// The weight of each endpoint, healthy or not, as of the last update.
    var weights: [EndpointID: Double] { members.mapValues(\.weight) }

    /// The weight of an endpoint as of the last update; 1 for an unknown one.
    func weight(of id: EndpointID) -> Double { members[id]?.weight ?? 1 }

    /// Adds an endpoint, unhealthy; answers whether it was new.
    @discardableResult
    mutating func add(_ id: EndpointID) -> Bool {
        guard members[id] == nil else { return false }
        members[id] = Member()
        return true
    }

    /// Removes an endpoint; answers whether it was there.
    @discardableResult
    mutating func remove(_ id: EndpointID) -> Bool {
        members.removeValue(forKey: id) != nil
    }

    /// Takes what an endpoint is said to carry, to be used from the next update on while it reports
    /// nothing.
    mutating func setStatedWeight(_ id: EndpointID, _ weight: Double) {
        if weight > 0, weight.isFinite { members[id]?.stated = weight }
    }

    /// Sets an endpoint's health; answers whether that was a change.
    ///
    /// One that becomes healthy starts slowly, and its reports are believed only after the blackout
    /// period; but one that was ejected is the same as before, so what it reported then counts.
    mutating func setHealthy(
        _ id: EndpointID, _ isHealthy: Bool, byEjection: Bool = false, now: Duration
    ) -> Bool {
        guard let member = members[id], member.isHealthy != isHealthy else { return false }
        members[id]?.healthySince = isHealthy ? now : nil
        if !byEjection { members[id]?.load = nil }
        return true
    }

    /// Takes a load report, to be used from the next update on.
    ///
    /// A sample that says nothing is ignored, so that the report of a then idle endpoint expires
    /// and does not linger.
    mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {
        guard let weight = sample.weight(errorPenalty: configuration.errorPenalty) else { return }
        members[id]?.record(weight, now: now, configuration: configuration)
    }

    /// Whether the update period has passed since the last update.
    func isDue(now: Duration) -> Bool {
        lastUpdate.map { now - $0 >= configuration.updatePeriod } ?? true
    }

    /// Computes all weights anew.
    mutating func update(now: Duration) {
        lastUpdate = now
        let known = members.values.compactMap { member in
            member.isHealthy ? member.knownWeight(now: now, configuration: configuration) : nil
        }
        let scale = WeightScale(known: known, spread: configuration.weightSpread)
        let stated = members.values.map(\.stated)
        let mean = stated.reduce(0, +) / Double(max(stated.count, 1))
        for (id, member) in members {
            let known = member.knownWeight(now: now, configuration: configuration)
            let factor = member.healthySince.map { configuration.slowStartFactor(age: now - $0) }
            let share = known == nil && mean > 0 ? member.stated / mean : 1
            members[id]?.weight = scale.weight(for: known) * share * (factor ?? 1)
        }
    }
}

extension ReportedWeights {
    /// What is known about one endpoint.
    private struct Member: Sendable {
        /// Since when it has been healthy without a break; nil while it is not.
        var healthySince: Duration?
        /// What its operator says that it carries.
        var stated: Double = 1
        /// What its reports say; nil before the first, and after its health changed.
        var load: Load?
        /// The weight as of the last update.
        var weight: Double = 1

        var isHealthy: Bool { healthySince != nil }

        /// Takes the weight that a report amounts to.
        mutating func record(
            _ weight: Double, now: Duration, configuration: BalancingConfiguration
        ) {
            if let load, now - load.lastReport < configuration.expirationPeriod {
                self.load?.lastReport = now
                self.load?.weight = weight
            } else {
                self.load = .init(since: now, lastReport: now, weight: weight)
            }
        }

        /// The weight by its own reports; nil while they are too new to be believed, or too old.
        func knownWeight(now: Duration, configuration: BalancingConfiguration) -> Double? {
            guard let load else { return nil }
            guard now - load.since >= configuration.blackoutPeriod else { return nil }
            guard now - load.lastReport < configuration.expirationPeriod else { return nil }
            return load.weight
        }
    }

    /// A run of load reports without a gap as long as the expiration period.
    private struct Load: Sendable {
        /// When the run began: the blackout period counts from here.
        let since: Duration
        var lastReport: Duration
        var weight: Double
    }
}
