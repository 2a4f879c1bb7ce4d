/// Takes an endpoint out of use for a while when requests to it end worse than they should: it
/// fails several in a row, or is far worse than the others by success rate or latency.
///
/// Active checks ask whether an endpoint lives; this sees that one which does answers badly.
/// Several failures in a row eject at once, comparisons are made once per interval. An ejection
/// ends by itself, and each in short order lasts longer than the one before; an interval without
/// ejection takes one back. However bad all are, some stay in use:
/// ``OutlierDetectionConfiguration/ejectedShareMax``, and always one.
///
/// Source: Envoy's outlier detection and gRFC A50; the comparison by latency is ours.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls. Events about
/// endpoints it does not know are ignored.
struct OutlierDetection: Sendable {
    let configuration: OutlierDetectionConfiguration
    private var members: [EndpointID: OutlierMember] = [:]
    private var intervalStart: Duration?

    /// Knows no endpoint yet.
    init(configuration: OutlierDetectionConfiguration = OutlierDetectionConfiguration()) {
        self.configuration = configuration
    }

    /// The endpoints that are ejected, healthy or not, in order of address.
    var ejected: [EndpointID] {
        members.filter { $0.value.ejection != nil }.keys.sorted()
    }

    /// Whether an endpoint is ejected now.
    func isEjected(_ id: EndpointID) -> Bool { members[id]?.ejection != nil }

    /// The ejections that are not over.
    var ejections: [EndpointID: OutlierMember.Ejection] {
        members.compactMapValues(\.ejection)
    }

    /// Takes over an ejection that another has begun, unless too many are ejected already.
    ///
    /// - Parameters:
    ///   - ejection: the ejection.
    ///   - id: the endpoint.
    ///   - later: by how much `now` is later here than there.
    /// - Returns: whether it is taken over.
    mutating func resume(
        _ ejection: OutlierMember.Ejection, of id: EndpointID, later: Duration
    ) -> Bool {
        guard !isEjected(id), mayEject(id) else { return false }
        members[id]?.eject(ejection.cause, end: ejection.end + later)
        return true
    }

    // MARK: Endpoints

    /// Adds an endpoint, not ejected and not yet healthy.
    ///
    /// A known one stays as it is.
    mutating func add(_ id: EndpointID) {
        guard members[id] == nil else { return }
        members[id] = OutlierMember()
    }

    /// Forgets an endpoint.
    ///
    /// Answers with an ejected one that has to return because no other is left.
    mutating func remove(_ id: EndpointID) -> EjectionChange? {
        guard members.removeValue(forKey: id) != nil else { return nil }
        return returnLast()
    }

    /// Says whether active checks find an endpoint well.
    ///
    /// Those that they do not are no choice anyway, so they are not counted among those of which
    /// some must stay. One that is well again begins anew: what was lost as it went down tells
    /// nothing of it. Answers with an ejected one that has to return because no other is left.
    mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool) -> EjectionChange? {
        guard let member = members[id], member.isHealthy != isHealthy else { return nil }
        members[id]?.isHealthy = isHealthy
        if isHealthy { members[id]?.beginAnew() }
        return returnLast()
    }

    /// An active check of an endpoint succeeded: answers with its return if that ends its ejection.
    mutating func checkSucceeded(_ id: EndpointID) -> EjectionChange? {
        guard let ejection = members[id]?.ejection else { return nil }
        switch configuration.endedByCheck {
        case .none: return nil
        case .ofSilence: guard ejection.cause.isSilence else { return nil }
        case .all: break
        }
        members[id]?.endEjection()
        return .returned(id, .checkSucceeded)
    }

    // MARK: Requests

    /// Counts how a request to an endpoint ended, and answers with its ejection if that was one
    /// failure too many.
    ///
    /// While an endpoint is ejected its outcomes are those of requests from before, or of a panic,
    /// and do not count.
    mutating func record(
        _ outcome: EndpointOutcome, at id: EndpointID, now: Duration
    ) -> EjectionChange? {
        members[id]?.record(outcome)
        guard case .failed(let failure) = outcome, let most = configuration.consecutiveFailures,
            let member = members[id], member.ejection == nil, member.consecutiveFailures >= most
        else { return nil }
        let cause = EjectionCause.consecutiveFailures(member.consecutiveFailures, last: failure)
        return eject(id, cause, now: now)
    }

    /// An endpoint has answered none of the requests it has, for a time that tells.
    ///
    /// That it answers checks disproves nothing: another part of it does.
    mutating func recordSilence(
        at id: EndpointID, requests: Int, for time: Duration, now: Duration
    ) -> EjectionChange? {
        guard members[id]?.ejection == nil else { return nil }
        return eject(id, .silence(requests: requests, time), now: now)
    }

    // MARK: Time

    /// Lets endpoints return whose time is over and, where an interval is over, compares endpoints
    /// and ejects the outliers.
    ///
    /// To be called regularly, at least as often as the interval.
    mutating func sweep(now: Duration) -> [EjectionChange] {
        let ids = members.keys.sorted()
        var changes: [EjectionChange] = []
        for id in ids {
            guard let ejection = members[id]?.ejection, ejection.end <= now else { continue }
            members[id]?.endEjection()
            changes.append(.returned(id, .timeOver))
        }
        guard let start = intervalStart else {
            intervalStart = now
            return changes
        }
        guard now - start >= configuration.interval else { return changes }
        intervalStart = now
        changes += ejectOutliers(now: now)
        for id in ids { members[id]?.beginInterval() }
        return changes
    }

    private mutating func ejectOutliers(now: Duration) -> [EjectionChange] {
        var tallies = members.filter { $0.value.ejection == nil }
            .map { $0.value.tally(id: $0.key) }
        let comparisons: [([OutlierTally]) -> [Outlier]] = [
            { [configuration] in configuration.successRate?.outliers(among: $0) ?? [] },
            { [configuration] in configuration.failureShare?.outliers(among: $0) ?? [] },
            { [configuration] in configuration.latency?.outliers(among: $0) ?? [] },
        ]
        var changes: [EjectionChange] = []
        for comparison in comparisons {
            let worstFirst = comparison(tallies).sorted {
                ($1.badness, $0.id) < ($0.badness, $1.id)
            }
            for outlier in worstFirst {
                guard let change = eject(outlier.id, outlier.cause, now: now) else { continue }
                changes.append(change)
                tallies.removeAll { $0.id == outlier.id }
            }
        }
        return changes
    }

    /// Ejects an endpoint unless too many are ejected already.
    private mutating func eject(
        _ id: EndpointID, _ cause: EjectionCause, now: Duration
    ) -> EjectionChange? {
        guard let member = members[id], mayEject(id) else { return nil }
        let time = configuration.ejectionTime(number: member.ejections + 1)
        members[id]?.eject(cause, end: now + time)
        return .ejected(id, cause, time: time)
    }

    private func mayEject(_ id: EndpointID) -> Bool {
        // One that active checks have taken out is out: whatever it does then is no news.
        guard members[id]?.isHealthy == true else { return false }
        let healthy = members.values.filter(\.isHealthy)
        let ejectedCount = healthy.count { $0.ejection != nil }
        return ejectedCount < configuration.ejectionsMax(of: healthy.count)
    }

    /// Lets the ejected endpoint return that would be the next to, if all that are healthy are
    /// ejected.
    private mutating func returnLast() -> EjectionChange? {
        let healthy = members.filter(\.value.isHealthy)
        let ejected = healthy.compactMap { id, member in member.ejection.map { (id, $0.end) } }
        guard ejected.count == healthy.count,
            let (id, _) = ejected.min(by: { ($0.1, $0.0) < ($1.1, $1.0) })
        else { return nil }
        members[id]?.endEjection()
        return .returned(id, .lastLeft)
    }
}
