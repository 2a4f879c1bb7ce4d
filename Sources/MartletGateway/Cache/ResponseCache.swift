/// Keeps answers of predictions, and has each asked for once by those who want it at the same time.
///
/// The first who asks for what is not here leads: it asks a node. Those who ask the same meanwhile
/// follow. If the leader fails, exactly one follower leads in its place. A stale answer is given on
/// while one asker gets a new one. What a model has answered before it changed is found by nobody
/// from then on, also not when it was under way: see ``invalidate(model:now:)``.
///
/// ``WindowTinyLFU`` decides what is kept within ``CacheConfiguration/capacityBytes``,
/// ``AdaptiveTTL`` for how long.
///
/// Whoever leads has to report, or be reported, at last by its deadline; until then, or until
/// ``CacheConfiguration/leadershipMax`` is over, others wait. `now` is the time since an origin of
/// the caller's choice, the same in all calls. Every operation takes constant time on average, but
/// for ``remove(tenant:model:)``.
struct ResponseCache<Value: Sendable>: Sendable {
    /// Answers looked at in each lookup, to drop those whose time is over.
    private static var sweptPerLookup: Int { 2 }

    let configuration: CacheConfiguration
    /// How scarce memory is outside of the cache, from 0 to 1, if somebody knows.
    var memoryPressure = 0.0

    private var entries: CacheEntries<Value>
    private var flights = FlightTable()
    private var models: ModelRecords
    private var tally = CacheCounters()

    /// An empty cache.
    ///
    /// - Parameters:
    ///   - configuration: the knobs.
    ///   - seed: a secret random number, so that nobody outside can tell which keys share counters.
    init(configuration: CacheConfiguration = CacheConfiguration(), seed: UInt64) {
        self.configuration = configuration
        entries = CacheEntries(capacityBytes: configuration.capacityBytes, seed: seed)
        models = ModelRecords(idleMax: configuration.idleModelsMax)
    }

    /// What it has done, and what it holds.
    var counters: CacheCounters {
        var counters = tally
        counters.entries = entries.count
        counters.bytes = entries.bytes
        return counters
    }

    /// How many answers are under way.
    var flightCount: Int { flights.count }

    /// How many models it knows of.
    var modelCount: Int { models.count }

    // MARK: Lookup

    /// Looks for an answer.
    ///
    /// - Parameters:
    ///   - key: what is asked for.
    ///   - ageMax: answers that are not younger are not wanted; nil if any will do.
    ///   - now: the time.
    /// - Returns: the answer, or how to come by it.
    mutating func lookup(
        _ key: CacheKey, ageMax: Duration? = nil, now: Duration
    ) -> CacheLookup<Value> {
        for _ in 0..<Self.sweptPerLookup { dropIfDead(entries.nextSlot(), now: now) }
        guard let slot = entries.slot(of: key), !dropIfDead(slot, now: now),
            let terms = entries.terms(in: slot), let value = entries.value(in: slot)
        else { return miss(key, now: now) }
        // Time that runs backwards stands still.
        let age = max(now - terms.storedAt, .zero)
        if let ageMax, age >= ageMax { return miss(key, now: now) }
        entries.recordHit(slot)
        models.record(terms.model, isHit: true)
        let isStale = now >= terms.freshUntil
        if !isStale { tally.hits += 1 }
        return .hit(
            CachedAnswer(
                value: value, age: age, isStale: isStale,
                revalidation: isStale ? revalidate(key, now: now) : nil))
    }

    /// A stale answer is given; the ticket of the one who gets a new one, if nobody does yet.
    private mutating func revalidate(_ key: CacheKey, now: Duration) -> FlightTicket? {
        tally.staleHits += 1
        guard joinableFlight(for: key, now: now) == nil, let ticket = lead(key, now: now) else {
            return nil
        }
        tally.revalidations += 1
        return ticket
    }

    private mutating func miss(_ key: CacheKey, now: Duration) -> CacheLookup<Value> {
        entries.recordMiss(key)
        if let flight = joinableFlight(for: key, now: now) {
            guard flight.followers.count < configuration.followersMax,
                let ticket = flights.follow(key)
            else { return detour() }
            // It costs the node nothing, as a hit does.
            models.record(flight.model, isHit: true)
            tally.follows += 1
            return .follow(ticket)
        }
        guard let ticket = lead(key, now: now) else { return detour() }
        tally.misses += 1
        return .lead(ticket)
    }

    private mutating func detour() -> CacheLookup<Value> {
        tally.detours += 1
        return .detour
    }

    /// The flight of a key whose answer one who asks now may get.
    private func joinableFlight(for key: CacheKey, now: Duration) -> FlightTable.Flight? {
        guard let flight = flights.openFlight(for: key),
            flight.generation == models.generation(of: flight.model),
            now - flight.ledSince < configuration.leadershipMax
        else { return nil }
        return flight
    }

    private mutating func lead(_ key: CacheKey, now: Duration) -> FlightTicket? {
        guard flights.count < configuration.flightsMax else { return nil }
        let model = models.hold(key.model, now: now)
        models.record(model, isHit: false)
        // Of the same model as it is now there is none but one that hangs.
        let isHanging = flights.openFlight(for: key).map {
            $0.generation == models.generation(of: $0.model)
        }
        return flights.lead(
            key, model: model, generation: models.generation(of: model),
            takesOver: isHanging ?? false, now: now)
    }

    // MARK: Answers

    /// The leader has an answer that may be kept: stores it, unless it is of the past by now.
    ///
    /// - Parameters:
    ///   - ticket: the leader's; nothing happens if it does not lead.
    ///   - value: the answer.
    ///   - bytes: the memory that it takes.
    ///   - past: what it has lived through elsewhere; `nil` for an answer that a node gave now.
    ///   - lifeMax: for how long the node allows it to be given; `nil` for no bound.
    ///   - now: the time.
    /// - Returns: the followers, who get the answer too.
    mutating func fulfil(
        _ ticket: FlightTicket, with value: Value, bytes: Int, past: CachedPast? = nil,
        lifeMax: Duration? = nil, now: Duration
    ) -> [FlightTicket] {
        guard let ended = flights.end(ticket) else { return [] }
        let flight = ended.flight
        if ended.wasOpen, flight.generation == models.generation(of: flight.model),
            let terms = terms(of: flight, past, lifeMax: lifeMax, now: now)
        {
            store(value, bytes: bytes, of: flight, terms)
        }
        models.release(flight.model)
        return ended.followers
    }

    /// The leader has an answer that may not be kept, and is as good for all who asked the same.
    ///
    /// - Returns: the followers, who get the answer too.
    mutating func share(_ ticket: FlightTicket) -> [FlightTicket] {
        guard let ended = flights.end(ticket) else { return [] }
        models.release(ended.flight.model)
        return ended.followers
    }

    /// The leader has no answer, or an asker does not want it any more.
    ///
    /// - Returns: the follower who leads from now on, and has to ask a node; nil if there is none.
    mutating func fail(_ ticket: FlightTicket, now: Duration) -> FlightTicket? {
        switch flights.leave(ticket, now: now) {
        case .unknown, .unchanged: return nil
        case .handedOver(let next):
            tally.handovers += 1
            return next
        case .ended(let flight):
            models.release(flight.model)
            return nil
        }
    }

    /// What the answer of who leads is kept under; nil if it would not be kept, since its model has
    /// changed, or another leads by now.
    func keyKept(by ticket: FlightTicket) -> CacheKey? {
        guard let flight = flights.openFlight(ledBy: ticket),
            flight.generation == models.generation(of: flight.model)
        else { return nil }
        return flight.key
    }

    /// Until when an answer may be given; nil if it may not.
    private func terms(
        of flight: FlightTable.Flight, _ past: CachedPast?, lifeMax: Duration?, now: Duration
    ) -> CacheTerms? {
        var (age, life) = (Duration.zero, timeToLive(of: flight.model, now: now))
        if let lifeMax { life = min(life, lifeMax) }
        if let past {
            age = max(past.age, .zero)
            // The bound is that of all its life, wherever it was.
            life = min(past.left, configuration.timeToLive.maximum - age)
            guard life > .zero else { return nil }
        }
        return CacheTerms(
            model: flight.model, generation: flight.generation, storedAt: now - age,
            freshUntil: now + life, staleUntil: now + life + configuration.staleWindow)
    }

    private mutating func store(
        _ value: Value, bytes: Int, of flight: FlightTable.Flight, _ terms: CacheTerms
    ) {
        models.hold(flight.model)
        var (isNew, isTaken) = (true, true)
        for gone in entries.put(value, bytes: bytes, for: flight.key, terms: terms) {
            models.release(gone.model)
            switch gone.cause {
            case .replaced: isNew = false
            case .tooLarge: isTaken = false
            case .rejected: tally.rejections += 1
            case .evicted: tally.evictions += 1
            }
        }
        switch (isTaken, isNew) {
        case (false, _): tally.oversized += 1
        case (true, true): tally.admissions += 1
        case (true, false): tally.replacements += 1
        }
    }

    /// How long an answer of a model that is stored now stays fresh.
    mutating func timeToLive(of model: String, now: Duration) -> Duration {
        let record = models.hold(model, now: now)
        defer { models.release(record) }
        return timeToLive(of: record, now: now)
    }

    private func timeToLive(of record: Int, now: Duration) -> Duration {
        configuration.timeToLive.duration(
            hitRate: models.hitRate(record), stableFor: now - models.changedAt(record),
            pressure: max(configuration.pressure(bytes: entries.bytes), memoryPressure))
    }

    // MARK: Removal

    /// A model has changed, such as by a new version: what it answered before is of the past at
    /// once, also what is under way.
    ///
    /// Takes constant time; the memory is freed bit by bit, by the lookups that follow.
    mutating func invalidate(model: String, now: Duration) { models.change(model, now: now) }

    /// Drops the answers of a tenant, of a model, of both together, or all; also those under way.
    ///
    /// Looks at every answer.
    ///
    /// - Returns: how many were dropped.
    mutating func remove(tenant: String? = nil, model: String? = nil) -> Int {
        func isMeant(_ key: CacheKey) -> Bool {
            (tenant == nil || key.tenant == tenant) && (model == nil || key.model == model)
        }
        flights.detach(where: isMeant)
        let slots = entries.slots(where: isMeant)
        for slot in slots { drop(slot) }
        tally.removals += slots.count
        return slots.count
    }

    private mutating func drop(_ slot: Int) {
        guard let terms = entries.remove(slot) else { return }
        models.release(terms.model)
    }

    /// Drops an answer that nobody may get any more; whether there was one.
    @discardableResult
    private mutating func dropIfDead(_ slot: Int, now: Duration) -> Bool {
        guard let terms = entries.terms(in: slot) else { return false }
        if terms.generation != models.generation(of: terms.model) {
            tally.invalidations += 1
        } else if now >= terms.staleUntil {
            tally.expirations += 1
        } else {
            return false
        }
        drop(slot)
        return true
    }
}
