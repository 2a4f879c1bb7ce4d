/// The balancing policy for language models that sends a prompt to where its beginning has been
/// computed already, unless that endpoint has more to do than the saving is worth.
///
/// The endpoint with the highest score is picked:
///
///     blocks of the prompt that it is thought to hold ÷ (1 + commonWeight × joins)
///         − inFlightWeight × blocks being computed there
///         − recentWeight × blocks given to it lately
///         − requestTokens in blocks × how many times longer its answer would take there
///
/// with all loads taken relative to what it is said to carry beside the others (``FairShare``), and
/// a bonus where it has the request's adapter at hand, and another where the request's session was
/// last. Failures count as prompts like the one at hand (``FailureDebt``). An answer is taken to be
/// the slower the more requests are in flight, beside the endpoint with the fewest.
///
/// Joins are the prompts that lately matched just as far and then went on otherwise. Nobody does so
/// at the end of a conversation that goes on, so that its whole past counts and it stays where it
/// began. A beginning that many share counts little: to compute it at one more endpoint is paid
/// once and saves as much for all who come after, so it is spread at once over as many endpoints as
/// have a part in the traffic. Prompts without a past go to who has the least to do. Of equals the
/// one with less given lately is picked, then one at random.
///
/// Whatever the score, no endpoint where something runs is given a prompt that would lift what it
/// was given lately, or its requests in flight, above `loadFactor` times the mean and some slack. A
/// request without a prompt goes to the less loaded of two, as with ``LeastRequest``.
///
/// What endpoints hold is guessed from what they were sent (``PrefixIndex``), and forgotten when
/// they go, or are found unhealthy: perhaps they began anew.
///
/// Sources: Srivatsa et al., "Preble: efficient distributed prompt scheduling for LLM serving",
/// 2024, for saving against load; Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with
/// bounded loads", 2016, for the bound.
public struct PrefixAware: Balancer {
    /// What is noted of each endpoint.
    private struct Note: Sendable {
        /// Its number in the indices.
        var holder = 0
        /// What it is said to carry.
        var weight = 1.0
        var load = PromptLoad()
    }

    /// A prompt that was given an endpoint, and whose attempt is to begin.
    private struct Planned: Sendable {
        let id: EndpointID
        let prompt: PromptBlocks
        let session: UInt64?
        let matched: Int
    }

    /// How well an endpoint would serve a prompt.
    private struct Bid {
        let place: Int
        let score: Double
        /// What it was given lately, for its weight.
        let recent: Double
        let hasRoom: Bool
    }

    private var roster: EndpointRoster<Note>
    private var prefixes: PrefixIndex
    /// The adapters that each has at hand.
    private var adapters = PrefixIndex()
    /// The sessions that each had lately, none of which is at two.
    private var sessions = PrefixIndex()
    private let configuration: PrefixConfiguration
    private var generator: SplitMix
    private var planned: Planned?
    private var blocks = PrefixBlocks()

    /// A policy without endpoints.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        roster = EndpointRoster(penalty: configuration.failurePenalty, blank: Note())
        self.configuration = configuration.prefix
        prefixes = PrefixIndex(joinTime: configuration.prefix.recentTime)
        generator = SplitMix(seed: seed)
    }

    /// What was said of each endpoint; 1 of the others.
    public var weights: [EndpointID: Double] {
        Dictionary(
            uniqueKeysWithValues: zip(roster.members, roster.notes).map { ($0.id, $1.weight) })
    }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { roster.healthyEndpoints }

    /// What was guessed of all prompts so far.
    public var prefixBlocks: PrefixBlocks? { blocks }

    /// Blocks that are noted of an endpoint.
    func blocksNoted(of id: EndpointID) -> Int {
        roster.place(of: id).map { prefixes.count(of: roster.notes[$0].holder) } ?? 0
    }

    // MARK: Endpoints

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        guard roster.add(id), let place = roster.place(of: id) else { return }
        let holder = prefixes.addHolder(
            capacity: configuration.capacity(ofTokens: configuration.cacheTokens))
        roster.notes[place].holder = holder
        // All indices see the same holders come and go, so a holder has one number in all.
        _ = adapters.addHolder(capacity: configuration.adaptersMax)
        _ = sessions.addHolder(capacity: configuration.sessionsMax)
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        guard let place = roster.place(of: id) else { return }
        prefixes.removeHolder(roster.notes[place].holder)
        adapters.removeHolder(roster.notes[place].holder)
        sessions.removeHolder(roster.notes[place].holder)
        roster.remove(id)
    }

    /// Takes what an endpoint is said to carry.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {
        guard weight > 0, weight.isFinite, let place = roster.place(of: id) else { return }
        roster.notes[place].weight = weight
    }

    /// Takes how many tokens an endpoint says its cache can hold.
    public mutating func setCacheTokens(_ id: EndpointID, _ tokens: Int, now: Duration) {
        guard tokens > 0, let place = roster.place(of: id) else { return }
        prefixes.setCapacity(
            roster.notes[place].holder, configuration.capacity(ofTokens: tokens))
    }

    /// Says whether an endpoint can serve.
    ///
    /// What one holds that cannot is forgotten.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        roster.setHealthy(id, isHealthy)
        if !isHealthy { didRestart(id, now: now) }
    }

    /// Takes an endpoint out of use, or back with all that it holds.
    public mutating func setEjected(_ id: EndpointID, _ isEjected: Bool, now: Duration) {
        roster.setHealthy(id, !isEjected)
    }

    /// Forgets what an endpoint holds.
    public mutating func didRestart(_ id: EndpointID, now: Duration) {
        guard let place = roster.place(of: id) else { return }
        prefixes.clear(roster.notes[place].holder)
        adapters.clear(roster.notes[place].holder)
        sessions.clear(roster.notes[place].holder)
    }

    // MARK: Attempts

    /// An attempt begins at an endpoint: with the prompt of the last pick, where that was it.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {
        let place = roster.didBegin(id)
        guard let planned, planned.id == id else { return }
        self.planned = nil
        guard let place else { return }
        blocks.sent += planned.prompt.hashes.count
        blocks.held += planned.matched
        let work = planned.prompt.work
        roster.notes[place].load.didBegin(
            given: work, computed: work - Double(planned.matched), now: now,
            within: configuration.recentTime)
        let holder = roster.notes[place].holder
        prefixes.record(planned.prompt.hashes, at: holder, now: now)
        if let key = planned.prompt.adapterKey { adapters.record([key], at: holder) }
        if let session = planned.session {
            sessions.forget(session)
            sessions.record([session], at: holder)
        }
    }

    /// An attempt ended at an endpoint.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {
        let before = roster.place(of: id).map { roster.members[$0].inFlight } ?? 0
        guard let place = roster.didEnd(id, result, now: now) else { return }
        roster.notes[place].load.didEnd(of: before)
    }

    // MARK: Picking

    /// Picks the endpoint that serves a prompt best, or the less loaded of two where there is none.
    ///
    /// Takes time linear in the prompt's blocks and in the endpoints.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        planned = nil
        let candidates = roster.candidates(excluding: excluded)
        guard let prompt = request.prompt else {
            let choice = roster.lessLoadedOfTwo(
                candidates, now: now, using: &generator, weight: \.weight)
            return choice.map { roster.members[$0].id }
        }
        let matches = prefixes.matches(prompt.hashes)
        let session = request.affinityKey ?? prompt.sessionKey
        let bids = bids(of: candidates, for: prompt, session, matches, now: now)
        guard let place = best(of: bids) else { return nil }
        let id = roster.members[place].id
        planned = Planned(
            id: id, prompt: prompt, session: session,
            matched: matches[roster.notes[place].holder])
        return id
    }

    /// How well each candidate would serve a prompt, of which each holder has so many blocks
    /// (`matches`).
    private func bids(
        of candidates: [Int], for prompt: PromptBlocks, _ session: UInt64?, _ matches: [Int],
        now: Duration
    ) -> [Bid] {
        let bonuses = bonuses(for: prompt, session)
        let offers = candidates.map { (place: $0, load: load(of: $0, now: now)) }
        let share = FairShare(of: offers.map { $0.load }, with: prompt.work, configuration)
        let joins = prefixes.joins(of: prompt.hashes, matches, now: now)
        let worth = 1 / (1 + configuration.commonWeight * joins)
        let leastCrowd = offers.map { share.crowd(of: $0.load) }.min() ?? 1
        return offers.map { place, load in
            let (holder, weight) = (roster.notes[place].holder, share.weight(of: load))
            let bonus = bonuses.reduce(0) { $1.holds[holder] > 0 ? $0 + $1.worth : $0 }
            let delay = share.crowd(of: load) / leastCrowd - 1
            return Bid(
                place: place,
                score: worth * Double(matches[holder]) + bonus
                    - cost(of: prompt, at: place, load, weight: weight, now: now)
                    - configuration.blocks(ofTokens: configuration.requestTokens) * delay,
                recent: load.recent / weight,
                hasRoom: share.hasRoom(load))
        }
    }

    private func load(of place: Int, now: Duration) -> FairShare.Load {
        let note = roster.notes[place]
        return FairShare.Load(
            weight: note.weight,
            recent: note.load.recent(now: now, within: configuration.recentTime),
            requests: roster.members[place].inFlight)
    }

    /// What a request is worth besides its prompt, in blocks, to those holders that are above 0.
    private func bonuses(
        for prompt: PromptBlocks, _ session: UInt64?
    ) -> [(holds: [Int], worth: Double)] {
        var bonuses: [(holds: [Int], worth: Double)] = []
        if let key = prompt.adapterKey {
            let worth = configuration.blocks(ofTokens: configuration.adapterTokens)
            bonuses.append((adapters.matches([key]), worth))
        }
        if let session {
            let worth = configuration.blocks(ofTokens: configuration.sessionTokens)
            bonuses.append((sessions.matches([session]), worth))
        }
        return bonuses
    }

    /// What the work of an endpoint counts, in blocks of a prompt, where it carries `weight` times
    /// what the mean does.
    private func cost(
        of prompt: PromptBlocks, at place: Int, _ load: FairShare.Load, weight: Double,
        now: Duration
    ) -> Double {
        let computed = configuration.inFlightWeight * roster.notes[place].load.inFlight
        let recent = configuration.recentWeight * load.recent
        // Failures are not weighed down as work is, or a long match would outweigh them.
        return (computed + recent + roster.debt(at: place, now: now) * prompt.work) / weight
    }

    /// The place of the highest score among those with room, or among all where none has.
    private mutating func best(of bids: [Bid]) -> Int? {
        let open = bids.filter(\.hasRoom)
        let bids = open.isEmpty ? bids : open
        let highest = bids.reduce(-Double.infinity) { max($0, $1.score) }
        let leaders = bids.filter { $0.score >= highest }
        // Weights may be so odd that scores are no numbers.
        let choice = leaders.isEmpty ? bids : leaders
        let index = generator.lowest(of: choice.indices) { choice[$0].recent }
        return index.map { choice[$0].place }
    }
}
