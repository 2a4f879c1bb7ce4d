import MartletTestKit
import Testing

@testable import MartletGateway

/// Random events against the promises of ``ResponseCache``, by an oracle that remembers everything.
@Suite("Response cache: simulation")
struct ResponseCacheSimulationTests {
    @Test func randomOperations_neverBreakAPromise() {
        var total = CacheCounters()
        for seed in SimulationSeeds.first(6000) {
            var world = World(seed: seed)
            let violation = world.run(steps: 120)
            #expect(violation == nil, "\(SimulationSeeds.replay(seed))")
            total.add(world.counters)
        }
        guard SimulationSeeds.first(2).count == 2 else { return }
        // Everything was tried, and often.
        for count in [
            total.hits, total.staleHits, total.misses, total.follows, total.detours,
            total.revalidations, total.handovers, total.admissions, total.replacements,
            total.oversized, total.rejections, total.evictions, total.expirations,
            total.invalidations, total.removals,
        ] { #expect(count > 100) }
    }
}

extension CacheCounters {
    /// What was taken in and is neither here nor has left; zero unless something is lost.
    fileprivate var unaccounted: Int {
        admissions - entries - rejections - evictions - expirations - invalidations - removals
    }

    fileprivate mutating func add(_ other: CacheCounters) {
        hits += other.hits
        staleHits += other.staleHits
        misses += other.misses
        follows += other.follows
        detours += other.detours
        revalidations += other.revalidations
        handovers += other.handovers
        admissions += other.admissions
        replacements += other.replacements
        oversized += other.oversized
        rejections += other.rejections
        evictions += other.evictions
        expirations += other.expirations
        invalidations += other.invalidations
        removals += other.removals
    }
}

/// The cache, and beside it the least that is needed to judge its answers.
private struct World {
    /// An answer under way.
    private struct Flight {
        let key: CacheKey
        /// How many changes the key's scope had seen when it began.
        let epoch: Int
        var ledSince: Duration
        var followers: [FlightTicket] = []
        /// The one that it took over from.
        var earlier: UInt64?
    }

    private static let keys: [CacheKey] = ["t", "u"].flatMap { tenant in
        ["m", "n"].flatMap { model in
            ["1", "2", "3"].map { CacheKey.predicting($0, model: model, tenant: tenant) }
        }
    }

    private var generator: SeededGenerator
    private var cache: ResponseCache<Int>
    private var now = Duration.zero
    private let longestLife = Duration.seconds(20)

    /// By the number of the flight.
    private var flights: [UInt64: Flight] = [:]
    private var leaders: [UInt64: FlightTicket] = [:]
    /// The flight that newcomers of a key join, or would if it were young enough.
    private var current: [CacheKey: UInt64] = [:]
    /// Changes and removals that concern a key.
    private var epochs: [CacheKey: Int] = [:]
    /// The answer that a key has, if the cache has kept it.
    private var latest: [CacheKey: (value: Int, storedAt: Duration)] = [:]
    private var lastValue = 0

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        var configuration = CacheConfiguration(
            capacityBytes: Int.random(in: 0...12_000, using: &generator),
            timeToLive: AdaptiveTTL(minimum: .seconds(2), maximum: longestLife),
            staleWindow: .seconds(Int.random(in: 0...5, using: &generator)))
        configuration.followersMax = 2
        configuration.flightsMax = 6
        configuration.leadershipMax = .seconds(8)
        configuration.idleModelsMax = Int.random(in: 0...1, using: &generator)
        cache = ResponseCache(configuration: configuration, seed: generator.next())
    }

    var counters: CacheCounters { cache.counters }

    /// Runs random steps, and answers with a description of the first broken promise.
    mutating func run(steps: Int) -> String? {
        for step in 0..<steps {
            if let violation = self.step() ?? stateViolation() {
                return "step \(step): \(violation)"
            }
        }
        return endViolation()
    }

    private mutating func step() -> String? {
        switch Int.random(in: 0..<32, using: &generator) {
        case 0: now += .seconds(Int.random(in: 0...10, using: &generator))
        case 1...3: now += .milliseconds(Int.random(in: 0...900, using: &generator))
        case 4:
            let model = Bool.random(using: &generator) ? "m" : "n"
            cache.invalidate(model: model, now: now)
            change { $0.model == model }
        case 5: remove()
        case 6: cache.memoryPressure = Double.random(in: 0...1, using: &generator)
        case 7...9: return fail()
        case 10: return giveUp()
        case 11: return share()
        case 12...18: return fulfil()
        default: return lookup()
        }
        return nil
    }

    private mutating func lookup() -> String? {
        let key = Self.keys[Int.random(in: 0..<Self.keys.count, using: &generator)]
        let isStrict = Int.random(in: 0..<8, using: &generator) == 0
        let ageMax: Duration? =
            isStrict ? .seconds(Int.random(in: 0...3, using: &generator)) : nil
        switch cache.lookup(key, ageMax: ageMax, now: now) {
        case .hit(let answer): return hitViolation(answer, key: key, ageMax: ageMax)
        case .lead(let ticket): return lead(ticket, key: key)
        case .follow(let ticket):
            guard let number = current[key], let flight = flights[number] else {
                return "follows nobody"
            }
            if ticket.flight != number { return "follows a flight of the past" }
            if flight.key != key { return "follows a flight of another key" }
            if now - flight.ledSince >= cache.configuration.leadershipMax {
                return "follows one that hangs"
            }
            if flight.followers.count >= cache.configuration.followersMax {
                return "too many followers"
            }
            flights[number]?.followers.append(ticket)
        case .detour:
            let isFull = flights.count >= cache.configuration.flightsMax
            let isCrowded =
                current[key].flatMap { flights[$0] }
                .map { $0.followers.count >= cache.configuration.followersMax } ?? false
            if !isFull, !isCrowded { return "a detour without need" }
        }
        return nil
    }

    private mutating func hitViolation(
        _ answer: CachedAnswer<Int>, key: CacheKey, ageMax: Duration?
    ) -> String? {
        guard let latest = latest[key] else { return "found what is not there" }
        if answer.value != latest.value { return "found \(answer.value), not \(latest.value)" }
        if answer.age != now - latest.storedAt { return "age \(answer.age)" }
        if let ageMax, answer.age >= ageMax { return "older than asked for" }
        if answer.age >= longestLife + cache.configuration.staleWindow { return "too old" }
        if answer.isStale, cache.configuration.staleWindow == .zero { return "stale" }
        guard let ticket = answer.revalidation else { return nil }
        return answer.isStale ? lead(ticket, key: key) : "a fresh answer is asked for anew"
    }

    private mutating func lead(_ ticket: FlightTicket, key: CacheKey) -> String? {
        if let number = current[key], let flight = flights[number],
            now - flight.ledSince < cache.configuration.leadershipMax
        {
            return "two lead at a time"
        }
        if flights.count >= cache.configuration.flightsMax { return "too many flights" }
        flights[ticket.flight] = Flight(
            key: key, epoch: epochs[key] ?? 0, ledSince: now, earlier: current[key])
        leaders[ticket.flight] = ticket
        current[key] = ticket.flight
        return nil
    }

    private mutating func randomLeader() -> FlightTicket? {
        leaders.values.sorted { $0.flight < $1.flight }.randomElement(using: &generator)
    }

    private mutating func fulfil() -> String? {
        guard let ticket = randomLeader(), let flight = flights[ticket.flight] else { return nil }
        lastValue += 1
        let isHuge = Int.random(in: 0..<30, using: &generator) == 0
        let bytes = isHuge ? Int.max : Int.random(in: 0...1500, using: &generator)
        let others = cache.fulfil(ticket, with: lastValue, bytes: bytes, now: now)
        if current[flight.key] == ticket.flight, flight.epoch == epochs[flight.key] ?? 0 {
            latest[flight.key] = (lastValue, now)
        }
        return endFlight(ticket, others)
    }

    private mutating func share() -> String? {
        guard let ticket = randomLeader() else { return nil }
        return endFlight(ticket, cache.share(ticket))
    }

    private mutating func endFlight(
        _ ticket: FlightTicket, _ others: [FlightTicket], isAnswered: Bool = true
    ) -> String? {
        guard let flight = flights.removeValue(forKey: ticket.flight) else { return "unknown" }
        leaders[ticket.flight] = nil
        if current[flight.key] == ticket.flight { current[flight.key] = nil }
        var waiting = flight.followers
        // Those who wait for one that hangs get the answer too.
        var earlier = isAnswered ? flight.earlier : nil
        while let number = earlier, let older = flights[number] {
            waiting += older.followers
            flights[number]?.followers = []
            earlier = older.earlier
        }
        return others == waiting ? nil : "answers \(others), not \(waiting)"
    }

    private mutating func fail() -> String? {
        guard let ticket = randomLeader(), let flight = flights[ticket.flight] else { return nil }
        let next = cache.fail(ticket, now: now)
        if next != flight.followers.first { return "hands over to \(String(describing: next))" }
        guard let next else { return endFlight(ticket, [], isAnswered: false) }
        flights[ticket.flight]?.followers.removeFirst()
        flights[ticket.flight]?.ledSince = now
        leaders[ticket.flight] = next
        return cache.fulfil(ticket, with: -1, bytes: 1, now: now).isEmpty ? nil : "led no more"
    }

    private mutating func giveUp() -> String? {
        let waiting = flights.values.flatMap(\.followers).sorted { $0.asker < $1.asker }
        guard let ticket = waiting.randomElement(using: &generator) else { return nil }
        flights[ticket.flight]?.followers.removeAll { $0 == ticket }
        return cache.fail(ticket, now: now) == nil ? nil : "a follower hands over"
    }

    private mutating func remove() {
        let tenant = Bool.random(using: &generator) ? "t" : nil
        let model = Bool.random(using: &generator) ? "m" : nil
        _ = cache.remove(tenant: tenant, model: model)
        change { key in
            (tenant == nil || key.tenant == tenant) && (model == nil || key.model == model)
        }
    }

    /// What was, is of the past for these keys.
    private mutating func change(_ isMeant: (CacheKey) -> Bool) {
        for key in Self.keys where isMeant(key) {
            epochs[key, default: 0] += 1
            latest[key] = nil
            current[key] = nil
        }
    }

    private func stateViolation() -> String? {
        let counters = cache.counters
        if counters.bytes > cache.configuration.capacityBytes { return "\(counters.bytes) bytes" }
        if counters.bytes < 0 || (counters.entries == 0) != (counters.bytes == 0) {
            return "\(counters.bytes) bytes in \(counters.entries) entries"
        }
        if counters.unaccounted != 0 { return "\(counters.unaccounted) answers are lost" }
        if cache.flightCount != flights.count { return "\(cache.flightCount) flights" }
        return nil
    }

    /// Lets all end, and looks whether anything is left.
    private mutating func endViolation() -> String? {
        while let ticket = randomLeader() {
            if let violation = endFlight(ticket, cache.share(ticket)) { return violation }
        }
        if cache.flightCount != 0 { return "flights are left" }
        let entries = cache.counters.entries
        if cache.remove() != entries { return "not all were removed" }
        if cache.counters.bytes != 0 { return "bytes are left" }
        let models = cache.modelCount
        return models <= cache.configuration.idleModelsMax ? nil : "\(models) models are held"
    }
}
