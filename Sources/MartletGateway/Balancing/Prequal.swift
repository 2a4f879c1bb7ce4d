import MartletCore

/// The balancing policy that sends each request to the fastest endpoint among those that do not
/// have many requests in flight.
///
/// At each pick some endpoints are probed at random, and their replies join a pool. An endpoint is
/// hot if its requests in flight are above a quantile of those of all that replied; of the cold
/// ones the one of the lowest latency is picked. So latency steers while there is room, and
/// requests in flight, which tell of a queue before any latency does, hold the number at each
/// endpoint in check. See ``ProbePool``, ``PrequalConfiguration``.
///
/// A probe here is a look at what this gateway itself sees of the endpoint at that moment, its
/// requests in flight and what it takes for an answer (``LatencyByLoad``), joined with what the
/// endpoint last reported to run for other gateways. Where an endpoint answers the real probes that
/// the shell sends, to ``endpointsToProbe(now:)``, their answers make the pool as in the paper, and
/// looks only fill it up. A single gateway needs none.
///
/// Source: Wydrowski, Kleinberg, Rumble and Archer, "Load is not what you should balance:
/// Introducing Prequal", NSDI 2024. Against failures, which draw load because they are quick, the
/// paper lowers an endpoint's share by its error rate; here they count as requests in flight
/// (``FailureDebt``).
public struct Prequal: Balancer {
    private var roster: EndpointRoster<Notes>
    private var pool: ProbePool
    private var generator: SplitMix
    /// Real probes that the picks since the last ones call for.
    private var probesOwed = 0
    private var lastProbes: Duration?
    /// When an endpoint last answered a probe.
    private var lastAnswer: Duration?
    private let configuration: PrequalConfiguration
    private let decayTime: Duration

    /// Reports that come sooner, as with every answer, are passed over: how many requests end in so
    /// short a time is chance.
    private static let reportSpacing = Duration.milliseconds(500)

    /// With fewer replies than this there is no choice among them.
    private static let repliesMin = 2

    /// What is noted about an endpoint.
    private struct Notes: Sendable {
        var latency = LatencyByLoad()
        /// What it runs for other gateways.
        var others = 0.0
        /// When it last told of those; nil before the first time.
        var lastTold: Duration?
        /// When it last answered a probe, and the latency that it told, in seconds.
        var probed: (latency: Double?, time: Duration)?
        /// Attempts of this gateway that ended since its last load report, and when that came.
        var ended = 0.0
        var lastReport: Duration?
    }

    /// A policy without endpoints.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        roster = EndpointRoster(penalty: configuration.failurePenalty, blank: Notes())
        pool = ProbePool(configuration: configuration.prequal)
        generator = SplitMix(seed: seed)
        self.configuration = configuration.prequal
        decayTime = configuration.latencyDecayTime
    }

    /// 1 for each endpoint.
    public var weights: [EndpointID: Double] {
        Dictionary(uniqueKeysWithValues: roster.members.map { ($0.id, 1) })
    }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { roster.healthyEndpoints }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        // The pool speaks of endpoints by their place.
        if roster.add(id) { pool.forgetAll() }
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        if roster.remove(id) { pool.forgetAll() }
    }

    /// Says whether an endpoint can serve.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        guard let place = roster.setHealthy(id, isHealthy) else { return }
        pool.forget(place)
    }

    // MARK: What endpoints tell

    /// Takes a load report: it tells what the endpoint runs for other gateways.
    ///
    /// By Little's law, what it finishes a second and this gateway does not see, times the latency.
    /// An answer to a probe says it better, while that is new.
    public mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {
        guard let place = roster.place(of: id), sample.rps.isFinite else { return }
        let last = roster.notes[place].lastReport
        if let last, now - last < Self.reportSpacing { return }
        let ended = roster.notes[place].ended
        roster.notes[place].ended = 0
        roster.notes[place].lastReport = now
        guard let last, now > last, !isProbeNew(at: place, now: now) else { return }
        let rate = max(sample.rps - ended / (now - last).seconds, 0)
        roster.notes[place].others = rate * latency(at: place, now: now)
        roster.notes[place].lastTold = now
    }

    /// Takes an endpoint's answer to a probe: the requests it runs, of all gateways, and how long
    /// it takes for one while it runs so many; nil where it did not say, and this gateway has to
    /// know.
    public mutating func probe(
        _ id: EndpointID, inFlight: Int, latency: Duration?, now: Duration
    ) {
        guard let place = roster.place(of: id) else { return }
        roster.notes[place].others = max(
            Double(inFlight) - Double(roster.members[place].inFlight), 0)
        roster.notes[place].lastTold = now
        roster.notes[place].probed = (latency.map { max($0.seconds, 0) }, now)
        guard roster.members[place].isHealthy else { return }
        lastAnswer = now
        look(at: place, now: now)
    }

    /// The endpoints to probe now: as many as the picks since the last call ask for, at least some
    /// in each idle period.
    public mutating func endpointsToProbe(now: Duration) -> [EndpointID] {
        if lastProbes.map({ now - $0 >= configuration.idleProbePeriod }) ?? true {
            probesOwed = max(probesOwed, configuration.probesPerPick)
        }
        guard probesOwed > 0, !roster.healthy.isEmpty else { return [] }
        let places = generator.sample(probesOwed, of: roster.healthy)
        probesOwed = 0
        lastProbes = now
        return places.map { roster.members[$0].id }
    }

    // MARK: Attempts

    /// An attempt begins at an endpoint.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {
        guard let place = roster.didBegin(id) else { return }
        roster.notes[place].latency.didBegin(inFlight: running(at: place, now: now) - 1, now: now)
    }

    /// An attempt ended at an endpoint.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {
        guard let place = roster.didEnd(id, result, now: now) else { return }
        roster.notes[place].ended += 1
        roster.notes[place].latency.didEnd(result, now: now, decayTime: decayTime)
    }

    /// Picks by the hot-cold rule.
    ///
    /// Takes time linear in the pool's size, whatever the number of endpoints, but for exclusions.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        probesOwed = min(probesOwed + configuration.probesPerPick, configuration.poolSize)
        pool.expire(now: now)
        let areAnswersNew = lastAnswer.map { now - $0 <= configuration.replyAgeMax } ?? false
        if !areAnswersNew || pool.replies.count < Self.repliesMin {
            look(excluding: excluded, now: now)
        }
        if let place = pickFromPool(excluding: excluded) { return roster.members[place].id }
        look(excluding: excluded, now: now)
        return pickFromPool(excluding: excluded).map { roster.members[$0].id }
    }

    private mutating func pickFromPool(excluding excluded: Set<EndpointID>) -> Int? {
        pool.pick(using: &generator) { [roster] place in
            excluded.isEmpty || !excluded.contains(roster.members[place].id)
        }
    }

    // MARK: What this gateway sees

    /// Looks at some endpoints drawn at random.
    private mutating func look(excluding excluded: Set<EndpointID>, now: Duration) {
        let candidates = roster.candidates(excluding: excluded)
        for place in generator.sample(configuration.probesPerPick, of: candidates) {
            look(at: place, now: now)
        }
    }

    /// Puts what is known of an endpoint into the pool.
    private mutating func look(at place: Int, now: Duration) {
        let running = running(at: place, now: now)
        pool.add(
            .init(
                place: place, running: running,
                inFlight: running + roster.debt(at: place, now: now),
                latency: latency(at: place, now: now), time: now))
    }

    /// The requests at an endpoint: those of this gateway, and what it last told of others, while
    /// that is new.
    private func running(at place: Int, now: Duration) -> Double {
        let own = Double(roster.members[place].inFlight)
        guard let told = roster.notes[place].lastTold, now - told <= configuration.othersAgeMax
        else {
            return own
        }
        return own + roster.notes[place].others
    }

    /// Whether an endpoint has answered a probe lately.
    private func isProbeNew(at place: Int, now: Duration) -> Bool {
        roster.notes[place].probed.map { now - $0.time <= configuration.replyAgeMax } ?? false
    }

    /// The latency that an endpoint tells itself, while that is new; else what was seen here.
    private func latency(at place: Int, now: Duration) -> Double {
        if let probed = roster.notes[place].probed?.latency, isProbeNew(at: place, now: now) {
            return probed
        }
        return roster.notes[place].latency.seconds(
            inFlight: running(at: place, now: now), now: now, decayTime: decayTime)
    }
}
