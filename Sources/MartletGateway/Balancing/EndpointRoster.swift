/// The endpoints of a balancer: which of them can be picked, what runs at each, and how much each
/// is charged with for its failures.
///
/// An algorithm keeps its own notes about each endpoint here. Within one event it may speak of
/// endpoints by their place, which is their index in ``members`` and ``notes``; places change as
/// endpoints come and go.
struct EndpointRoster<Notes: Sendable>: Sendable {
    /// One endpoint.
    struct Member: Sendable {
        let id: EndpointID
        var isHealthy = false
        /// Attempts that have begun and not yet ended.
        var inFlight = 0
        var debt = FailureDebt()
    }

    /// All endpoints, in order of address.
    private(set) var members: [Member] = []
    /// What the algorithm notes about each.
    var notes: [Notes] = []
    /// The places of those that can be picked.
    private(set) var healthy: [Int] = []
    private var places: [EndpointID: Int] = [:]
    /// The attempts that run at endpoints which are not, or no longer, among the members.
    ///
    /// One that comes back takes its count up again, so that attempts from before its removal do
    /// not end in the count of later ones. It holds no more entries than attempts are in flight.
    private var strangers: [EndpointID: Int] = [:]
    private let penalty: FailurePenalty
    private let blank: Notes

    /// No endpoints; each begins with the notes `blank`.
    init(penalty: FailurePenalty, blank: Notes) {
        self.penalty = penalty
        self.blank = blank
    }

    /// The endpoints that can be picked, in order of address.
    var healthyEndpoints: [EndpointID] { healthy.map { members[$0].id } }

    /// Where an endpoint is; nil for one that is not a member.
    func place(of id: EndpointID) -> Int? { places[id] }

    /// The places of the healthy endpoints that are not excluded.
    func candidates(excluding excluded: Set<EndpointID>) -> [Int] {
        guard !excluded.isEmpty else { return healthy }
        return healthy.filter { !excluded.contains(members[$0].id) }
    }

    /// The requests in flight that an endpoint's failures count as.
    func debt(at place: Int, now: Duration) -> Double {
        members[place].debt.requests(now: now, penalty)
    }

    /// The requests an endpoint is taken to have in flight: those that run, and those that its
    /// failures count as.
    func load(at place: Int, now: Duration) -> Double {
        Double(members[place].inFlight) + debt(at: place, now: now)
    }

    /// The place of the less loaded of two candidates drawn at random; nil if there is none.
    ///
    /// Each is drawn as likely as its weight, which its notes have, is large and its failures are
    /// few. Loads count the request at hand, and are taken for the weight; of equals the first
    /// drawn is picked.
    func lessLoadedOfTwo(
        _ candidates: [Int], now: Duration, using generator: inout SplitMix,
        weight: (Notes) -> Double
    ) -> Int? {
        generator.betterOfTwo(candidates) {
            weight(notes[$0]) / (1 + debt(at: $0, now: now))
        } cost: {
            (load(at: $0, now: now) + 1) / weight(notes[$0])
        }
    }

    // MARK: Membership

    /// Adds an endpoint, unhealthy; answers whether it was new.
    @discardableResult
    mutating func add(_ id: EndpointID) -> Bool {
        guard places[id] == nil else { return false }
        let inFlight = strangers.removeValue(forKey: id) ?? 0
        let place = members.firstIndex { id < $0.id } ?? members.count
        members.insert(Member(id: id, inFlight: inFlight), at: place)
        notes.insert(blank, at: place)
        index()
        return true
    }

    /// Removes an endpoint; answers whether it was there.
    @discardableResult
    mutating func remove(_ id: EndpointID) -> Bool {
        guard let place = places[id] else { return false }
        let inFlight = members.remove(at: place).inFlight
        notes.remove(at: place)
        if inFlight > 0 { strangers[id] = inFlight }
        index()
        return true
    }

    /// Sets an endpoint's health; answers with its place if that was a change.
    @discardableResult
    mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool) -> Int? {
        guard let place = places[id], members[place].isHealthy != isHealthy else { return nil }
        members[place].isHealthy = isHealthy
        healthy = members.indices.filter { members[$0].isHealthy }
        return place
    }

    private mutating func index() {
        places = Dictionary(uniqueKeysWithValues: members.indices.map { (members[$0].id, $0) })
        healthy = members.indices.filter { members[$0].isHealthy }
    }

    // MARK: Attempts

    /// An attempt begins; answers with the endpoint's place if it is a member.
    @discardableResult
    mutating func didBegin(_ id: EndpointID) -> Int? {
        guard let place = places[id] else {
            strangers[id, default: 0] += 1
            return nil
        }
        members[place].inFlight += 1
        return place
    }

    /// An attempt ended; answers with the endpoint's place if it is a member.
    @discardableResult
    mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) -> Int? {
        guard let place = places[id] else {
            let left = (strangers[id] ?? 0) - 1
            strangers[id] = left > 0 ? left : nil
            return nil
        }
        members[place].inFlight = max(members[place].inFlight - 1, 0)
        if result.hasFailed {
            members[place].debt.didFail(now: now, penalty)
        } else if !result.wasAbandoned, !result.wasDeclined {
            members[place].debt.didSucceed(now: now, penalty)
        }
        return place
    }
}
