import MartletCore
import MartletTransport

/// What an ``EndpointDirectory`` knows, and how it chooses by that.
struct EndpointDirectoryState: Sendable {
    /// What is known of an endpoint.
    struct Endpoint: Sendable {
        var discovered: DiscoveredEndpoint
        var health: HealthTracker
        /// Whether it has answered before, and only its checks fail: perhaps it is just slow.
        var isSuspect = false
        var wasHealthy = false
        /// Lives and serves some of its models, not all.
        var isDegraded = false
        /// Passive failures seen, to tell checks apart that began before the last one.
        var passiveFailures = 0
        var inFlight = 0
        var requests = 0
        var failures = 0
        var models: [ModelStatus] = []
        /// Names of its language models and their adapters.
        var listed: Set<String> = []
        /// The models of its adapters.
        var parents: [String: String] = [:]
        /// What it has last said of when it began.
        var start: Double?

        var address: UpstreamAddress { discovered.address }

        mutating func didBegin() -> UpstreamAddress {
            inFlight += 1
            requests += 1
            return address
        }

        mutating func didEnd() { inFlight = max(0, inFlight - 1) }
    }

    let configuration: EndpointDirectory.Configuration
    var balancer: any Balancer
    var outliers: OutlierDetection?
    var silence = SilenceWatch()
    var endpoints: [EndpointID: Endpoint] = [:]
    private(set) var order: [UpstreamAddress] = []
    /// Ejections and returns that nobody was told of yet.
    var news: [EjectionChange] = []
    private(set) var limitRefusals: [CircuitBreakerLimits.Resource: Int] = [:]

    private var turn = 0
    private var generator: SplitMix
    /// Endpoints that had no room for a request lately.
    private var refusedUntil: [EndpointID: Duration] = [:]
    /// Endpoints with as many requests as they may have.
    private(set) var full: Set<EndpointID> = []
    private var retries = 0
    /// What is still under way at endpoints that were removed, and may come back.
    private var leaving: [EndpointID: Int] = [:]
    /// All that could be used, if those that can be are too few to be believed.
    private(set) var panicked: [EndpointID] = []
    private var levels: NearnessLevels?
    /// Which endpoints do not serve what others do.
    private(set) var served = ServedNames()

    init(_ configuration: EndpointDirectory.Configuration, seed: UInt64) {
        self.configuration = configuration
        balancer = configuration.balancing.makeBalancer(seed: seed)
        outliers = configuration.outliers.map { OutlierDetection(configuration: $0) }
        generator = SplitMix(seed: SplitMix.finished(seed))
    }

    // MARK: Endpoints

    var known: EndpointSet { EndpointSet(endpoints.values.map(\.discovered)) }

    mutating func add(_ endpoint: DiscoveredEndpoint, now: Duration) {
        guard endpoints[endpoint.id] == nil else { return }
        order.append(endpoint.address)
        balancer.add(endpoint.id, now: now)
        balancer.setStatedWeight(endpoint.id, Double(endpoint.weight), now: now)
        outliers?.add(endpoint.id)
        endpoints[endpoint.id] = Endpoint(
            discovered: endpoint, health: HealthTracker(configuration: configuration.health),
            inFlight: leaving.removeValue(forKey: endpoint.id) ?? 0)
        noteRoom(at: endpoint.id)
        updateChoice()
    }

    mutating func remove(_ id: EndpointID, now: Duration) {
        if let inFlight = endpoints[id]?.inFlight, inFlight > 0 { leaving[id] = inFlight }
        endpoints[id] = nil
        order.removeAll { $0.id == id }
        balancer.remove(id)
        silence.remove(id)
        refusedUntil[id] = nil
        full.remove(id)
        apply(outliers?.remove(id), now: now)
        indexModels()
        updateChoice()
    }

    mutating func change(_ endpoint: DiscoveredEndpoint, now: Duration) {
        endpoints[endpoint.id]?.discovered = endpoint
        balancer.setStatedWeight(endpoint.id, Double(endpoint.weight), now: now)
        updateChoice()
    }

    /// Whether there is any that is not only a last resort.
    var hasHealthy: Bool { !panicked.isEmpty || !balancer.healthyEndpoints.isEmpty }

    func isUsable(_ id: EndpointID) -> Bool {
        endpoints[id]?.health.state == .healthy && outliers?.isEjected(id) != true
    }

    /// Thinks again about which endpoints come first; whenever one came, went, or changed.
    mutating func updateChoice() {
        if let nearness = configuration.nearness {
            levels = NearnessLevels(
                from: nearness.own,
                to: endpoints.values.map { ($0.discovered, isUsable($0.discovered.id)) },
                overprovisioning: nearness.overprovisioning)
        }
        let usable = endpoints.keys.count { isUsable($0) }
        let isPanic = configuration.panic.isPanic(healthy: usable, of: endpoints.count)
        panicked =
            isPanic
            ? endpoints.filter { id, endpoint in
                isUsable(id) || endpoint.isSuspect || outliers?.isEjected(id) == true
            }.keys.sorted() : []
        if panicked.count == usable { panicked = [] }
    }

    // MARK: Models

    mutating func setModels(
        _ models: [ModelStatus], listed: Set<String>, parents: [String: String] = [:],
        of id: EndpointID
    ) {
        guard let known = endpoints[id],
            known.models != models || known.listed != listed || known.parents != parents
        else { return }
        endpoints[id]?.models = models
        endpoints[id]?.listed = listed
        endpoints[id]?.parents = parents
        indexModels()
    }

    /// An endpoint that tells of no model at all may serve any: it is not asked, or no node of ours.
    private mutating func indexModels() {
        served = ServedNames(
            endpoints.filter { !$0.value.models.isEmpty }.mapValues {
                ServedNames.Endpoint(
                    models: $0.models, listed: $0.listed, parents: $0.parents)
            })
    }

    /// The endpoints that lack a model, where others serve it.
    func lacking(_ model: String?) -> Set<EndpointID> { model.flatMap { served.lacking($0) } ?? [] }

    // MARK: Picking

    /// How long an endpoint that had no room gets only what no other takes.
    private static let refusalPause = Duration.milliseconds(500)

    /// Notes that an endpoint had no room for a request.
    mutating func noteRefusal(by id: EndpointID, now: Duration) {
        refusedUntil[id] = now + Self.refusalPause
    }

    mutating func hasRoomForRetry() -> Bool {
        guard retries >= configuration.limits.retries else { return true }
        limitRefusals[.retries, default: 0] += 1
        return false
    }

    /// Begins an attempt at one of the usable endpoints.
    ///
    /// What is excluded or full is out of question; of the rest those are preferred that serve the
    /// model, had room lately, and are near, and what matters least is given up first.
    mutating func pick(
        _ request: PickRequest, model: String?, excluding excluded: Set<EndpointID> = [],
        as kind: AttemptKind, now: Duration
    ) -> EndpointDirectory.Pick {
        let closed = full.isEmpty ? excluded : excluded.union(full)
        if let id = nextPanicked(model, excluding: closed) {
            return begin(id, as: kind, now: now)
        }
        var shunned = shunned(model: model, now: now)
        while !shunned.isEmpty {
            let all = shunned.reduce(closed) { $0.union($1) }
            if let id = balancer.pick(for: request, excluding: all, now: now) {
                return begin(id, as: kind, now: now)
            }
            shunned.removeLast()
        }
        if !isServedByFull(model, excluding: excluded),
            let id = balancer.pick(for: request, excluding: closed, now: now)
        {
            return begin(id, as: kind, now: now)
        }
        guard !full.isEmpty, !full.isSubset(of: excluded) else { return .none }
        limitRefusals[.requests, default: 0] += 1
        return .allFull
    }

    /// Endpoints that are avoided as long as there are others, the best reason first.
    private mutating func shunned(model: String?, now: Duration) -> [Set<EndpointID>] {
        var shunned: [Set<EndpointID>] = []
        if let model, let without = served.lacking(model) { shunned.append(without) }
        if !refusedUntil.isEmpty {
            refusedUntil = refusedUntil.filter { $0.value > now }
            if !refusedUntil.isEmpty { shunned.append(Set(refusedUntil.keys)) }
        }
        if let levels, let far = levels.outside(at: .random(in: 0..<1, using: &generator)) {
            shunned.append(far)
        }
        return shunned
    }

    /// One of these after the other.
    mutating func next(of ids: [EndpointID]) -> EndpointID? {
        guard !ids.isEmpty else { return nil }
        turn = (turn + 1) % ids.count
        return ids[turn]
    }

    // MARK: Attempts

    /// Counts the beginning of an attempt.
    mutating func begin(
        _ id: EndpointID, as kind: AttemptKind, now: Duration
    ) -> EndpointDirectory.Pick {
        guard kind != .copy else { return endpoints[id].map { .endpoint($0.address) } ?? .none }
        guard let address = endpoints[id]?.didBegin() else { return .none }
        if kind == .retry { retries += 1 }
        balancer.didBegin(id, now: now)
        silence.didBegin(id, now: now)
        noteRoom(at: id)
        return .endpoint(address)
    }

    /// Counts the end of an attempt.
    mutating func end(_ id: EndpointID, isRetry: Bool) {
        if isRetry { retries = max(0, retries - 1) }
        if let left = leaving[id] {
            leaving[id] = left > 1 ? left - 1 : nil
            return
        }
        endpoints[id]?.didEnd()
        if !full.isEmpty { noteRoom(at: id) }
    }

    /// Notes whether an endpoint has as many requests as it may have.
    private mutating func noteRoom(at id: EndpointID) {
        guard let inFlight = endpoints[id]?.inFlight else { return }
        if inFlight >= configuration.limits.requests {
            full.insert(id)
        } else {
            full.remove(id)
        }
    }
}

/// What an attempt counts as.
enum AttemptKind: Sendable {
    case first
    case retry
    /// Of a copy, which is not counted.
    case copy
}

/// Which endpoints are how near, and which part of the requests each level gets.
private struct NearnessLevels: Sendable {
    private let shares: LocalityShares
    /// By level: the endpoints of all other levels.
    private let others: [Set<EndpointID>]

    init(
        from own: Locality, to endpoints: [(endpoint: DiscoveredEndpoint, isUsable: Bool)],
        overprovisioning: Double
    ) {
        shares = LocalityShares(
            from: own,
            to: endpoints.map { (locality: $0.endpoint.locality, isHealthy: $0.isUsable) },
            overprovisioning: overprovisioning)
        others = Proximity.allCases.map { level in
            Set(
                endpoints.filter { own.proximity(of: $0.endpoint.locality) != level }
                    .map(\.endpoint.id))
        }
    }

    /// The endpoints that a request does not go to, given a number drawn evenly from 0 to 1.
    func outside(at point: Double) -> Set<EndpointID>? {
        guard let level = shares.level(at: point), !others[level].isEmpty else { return nil }
        return others[level]
    }
}
