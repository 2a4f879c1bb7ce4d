/// What the cache knows of each model: which answers are from before its last change, how long ago
/// that was, and how often answers are found.
///
/// A record is named by a slot while somebody holds it. One that nobody holds is remembered for a
/// while, so that a model that is asked for seldom does not seem new each time; names come from
/// clients, so not too many are.
struct ModelRecords: Sendable {
    private struct Record {
        let name: String
        var generation: UInt64
        var changedAt: Duration
        var holders = 0
        var recent = RecentRatio()
    }

    private let idleMax: Int
    private var records: [Record?] = []
    private var slots: [String: Int] = [:]
    private var free: [Int] = []
    private var idle = 0
    /// Never used twice, so that a record made anew is not taken for the one before.
    private var lastGeneration: UInt64 = 0

    init(idleMax: Int) { self.idleMax = idleMax }

    /// How many models are remembered.
    var count: Int { slots.count }

    /// Holds the record of a model, which is made if there is none; its slot.
    mutating func hold(_ model: String, now: Duration) -> Int {
        let slot = slots[model] ?? make(model, now: now)
        if records[slot]?.holders == 0 { idle -= 1 }
        records[slot]?.holders += 1
        return slot
    }

    /// Holds a record once more that is held.
    mutating func hold(_ slot: Int) { records[slot]?.holders += 1 }

    /// Lets go of a record.
    mutating func release(_ slot: Int) {
        guard let record = records[slot], record.holders > 0 else { return }
        records[slot]?.holders -= 1
        if record.holders == 1 { idle += 1 }
        forgetIdle()
    }

    /// The present generation of a model whose record is held.
    func generation(of slot: Int) -> UInt64 { records[slot]?.generation ?? 0 }

    /// When a model last changed, as far as is known.
    func changedAt(_ slot: Int) -> Duration { records[slot]?.changedAt ?? .zero }

    /// The share of a model's recent requests that were answered from the cache.
    func hitRate(_ slot: Int) -> Double { records[slot]?.recent.ratio ?? 0 }

    /// Counts a request for a model.
    mutating func record(_ slot: Int, isHit: Bool) { records[slot]?.recent.record(isHit: isHit) }

    /// A model has changed: what was stored before is of the past.
    mutating func change(_ model: String, now: Duration) {
        let slot = slots[model] ?? make(model, now: now)
        lastGeneration += 1
        records[slot]?.generation = lastGeneration
        records[slot]?.changedAt = now
        forgetIdle()
    }

    private mutating func make(_ model: String, now: Duration) -> Int {
        lastGeneration += 1
        let record = Record(name: model, generation: lastGeneration, changedAt: now)
        idle += 1
        let slot = free.popLast() ?? records.count
        if slot == records.count { records.append(record) } else { records[slot] = record }
        slots[model] = slot
        return slot
    }

    /// Forgets all models that nobody holds, once they are too many; few at a time would take as
    /// long each time.
    private mutating func forgetIdle() {
        guard idle > idleMax else { return }
        for (slot, record) in records.enumerated() {
            guard let record, record.holders == 0 else { continue }
            slots[record.name] = nil
            records[slot] = nil
            free.append(slot)
        }
        idle = 0
    }
}

/// The share of successes among recent tries.
struct RecentRatio: Sendable {
    /// Counts are halved at so many tries, so that those long ago count less and less.
    private static let triesMax = 1024.0
    // One of each: of what has not been tried nothing is known, and one half is taken (Laplace's
    // rule of succession).
    private var hits = 1.0
    private var tries = 2.0

    /// From 0 to 1.
    var ratio: Double { hits / tries }

    /// Counts a try.
    mutating func record(isHit: Bool) {
        hits += isHit ? 1 : 0
        tries += 1
        guard tries >= Self.triesMax else { return }
        hits /= 2
        tries /= 2
    }
}
