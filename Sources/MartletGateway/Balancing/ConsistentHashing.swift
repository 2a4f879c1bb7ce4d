internal import Foundation

/// The balancing policy that sends requests of the same key to the same endpoint, while that is not
/// overloaded: consistent hashing with bounded loads.
///
/// No endpoint is given a request that would lift its requests in flight above `loadFactor` times
/// the mean of those that the request may go to; it goes to the next endpoint in the order of its
/// key then. So sessions stick and caches stay warm, and a popular key spreads over as many
/// endpoints as it needs. Failures count as requests in flight (``FailureDebt``).
///
/// The order of a key is that of rendezvous hashing: each endpoint has a score by key and address,
/// and the highest comes first. It was chosen over a ring because each key has an order of its own:
/// what an endpoint cannot take, or leaves behind as it goes, is spread over all others, where on a
/// ring it falls upon the next; shares are even without virtual nodes to tune or store; and as
/// endpoints come or go only the keys move that must. The price is a look at each endpoint, a few
/// nanoseconds, which pays up to about a thousand.
///
/// Keys of requests have the same order in every gateway, whatever its seed. A request without a
/// key goes to the less loaded of two endpoints drawn at random.
///
/// Sources: Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads", 2016;
/// Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998 (rendezvous).
public struct ConsistentHashing: Balancer {
    /// What is noted of each endpoint.
    private struct Note: Sendable {
        /// Of its address.
        var hash: UInt64 = 0
        /// What it is said to carry.
        var weight = 1.0
    }

    private var roster: EndpointRoster<Note>
    private let loadFactor: Double
    private var generator: SplitMix

    /// A policy without endpoints.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        roster = EndpointRoster(penalty: configuration.failurePenalty, blank: Note())
        loadFactor = configuration.loadFactor
        generator = SplitMix(seed: seed)
    }

    /// What was said of each endpoint; 1 of the others.
    public var weights: [EndpointID: Double] {
        Dictionary(
            uniqueKeysWithValues: zip(roster.members, roster.notes).map { ($0.id, $1.weight) })
    }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { roster.healthyEndpoints }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        guard roster.add(id), let place = roster.place(of: id) else { return }
        roster.notes[place].hash = id.hash(seed: 0)
    }

    /// Takes what an endpoint is said to carry.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {
        guard weight > 0, weight.isFinite, let place = roster.place(of: id) else { return }
        roster.notes[place].weight = weight
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        roster.remove(id)
    }

    /// Says whether an endpoint can serve.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        roster.setHealthy(id, isHealthy)
    }

    /// An attempt begins at an endpoint.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {
        roster.didBegin(id)
    }

    /// An attempt ended at an endpoint.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {
        roster.didEnd(id, result, now: now)
    }

    /// Picks the first endpoint of the key's order that has room, or the least loaded where none
    /// has.
    ///
    /// Takes time linear in the endpoints.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        let candidates = roster.candidates(excluding: excluded)
        let place =
            if let key = request.affinityKey {
                pick(of: candidates, key: key, now: now)
            } else {
                pickAny(of: candidates, now: now)
            }
        return place.map { roster.members[$0].id }
    }

    private mutating func pick(of candidates: [Int], key: UInt64, now: Duration) -> Int? {
        let bound = bound(of: candidates)
        var best: (place: Int, score: Double)?
        for place in candidates
        where roster.load(at: place, now: now) + 1 <= limit(of: place, bound) {
            let score = Self.score(key: key, endpoint: roster.notes[place])
            if let leader = best, score <= leader.score { continue }
            best = (place, score)
        }
        if let best { return best.place }
        // Failures and exclusions can leave no room anywhere.
        return generator.lowest(of: candidates) { [roster] in
            roster.load(at: $0, now: now) / roster.notes[$0].weight
        }
    }

    private mutating func pickAny(of candidates: [Int], now: Duration) -> Int? {
        generator.betterOfTwo(candidates) { [roster] in
            roster.notes[$0].weight / (1 + roster.debt(at: $0, now: now))
        } cost: { [roster] in
            roster.load(at: $0, now: now) / roster.notes[$0].weight
        }
    }

    /// `loadFactor` times the requests in flight for each unit of weight of the candidates, the one
    /// to come counted.
    ///
    /// Of those alone: where requests stay near, or few endpoints have their model, the mean of all
    /// would leave none of them room, and no key its place. Failures do not count here, or an
    /// endpoint that fails would make room for itself.
    private func bound(of candidates: [Int]) -> Double {
        let inFlight = candidates.reduce(1) { $0 + roster.members[$1].inFlight }
        let weight = candidates.reduce(0) { $0 + roster.notes[$1].weight }
        return weight > 0 ? loadFactor * Double(inFlight) / weight : 0
    }

    /// The most requests that an endpoint may have, rounded up.
    private func limit(of place: Int, _ bound: Double) -> Double {
        (bound * roster.notes[place].weight).rounded(.up)
    }

    /// How far ahead an endpoint is in the order of a key.
    ///
    /// Mixed twice: after once, two keys could exchange the scores of two endpoints. The logarithm
    /// gives each endpoint its part by weight: Schindelhauer and Schomaker, "Weighted distributed
    /// hash tables", 2005.
    private static func score(key: UInt64, endpoint: Note) -> Double {
        let bits = SplitMix.finished(SplitMix.finished(key ^ endpoint.hash) &+ endpoint.hash)
        // Above 0 and below 1.
        let share = (Double(bits >> 11) + 0.5) * 0x1p-53
        return endpoint.weight / -log(share)
    }
}
