/// What decides on whether an answer may be given.
struct CacheTerms: Sendable {
    /// The slot of the model's record, which the answer holds.
    let model: Int
    /// The model's generation when the answer was asked for.
    let generation: UInt64
    let storedAt: Duration
    /// Until when it is fresh.
    let freshUntil: Duration
    /// Until when it may be given at all.
    let staleUntil: Duration
}

/// The answers a cache holds, by key, within a bound of bytes.
struct CacheEntries<Value: Sendable>: Sendable {
    /// Why an answer is not held any more, or never was.
    enum Cause: Sendable {
        /// A newer answer of the same key took its place.
        case replaced
        /// It is larger than the cache.
        case tooLarge
        /// It was not asked for often enough to displace others.
        case rejected
        /// Another displaced it.
        case evicted
    }

    /// An answer that is not held any more, by what it held itself: its model's record.
    struct Departure: Sendable {
        let model: Int
        let cause: Cause
    }

    private struct Content {
        let key: CacheKey
        let value: Value
    }

    private let seed: UInt64
    private var index: [CacheKey: Int] = [:]
    private var policy: WindowTinyLFU
    // Both by the slots of the policy. Terms are apart, since most are looked at for nothing else.
    private var terms: [CacheTerms?] = []
    private var contents: [Content?] = []
    private var sweptSlot = 0

    init(capacityBytes: Int, seed: UInt64) {
        self.seed = seed
        // More cannot be held, since each takes at least so many bytes.
        let entriesMax = capacityBytes / CacheEntries.overheadBytes
        policy = WindowTinyLFU(
            capacity: capacityBytes, entriesMax: entriesMax, seed: SeededHash.mix(seed))
    }

    /// Bytes that an answer takes beside its value and the texts of its key: its places here and in
    /// the policy, its share of the index (a third of which is empty), its counters.
    static var overheadBytes: Int {
        MemoryLayout<Content?>.stride + MemoryLayout<CacheTerms?>.stride
            + MemoryLayout<SlotLists.Node>.stride
            + (MemoryLayout<CacheKey>.stride + MemoryLayout<Int>.stride) * 3 / 2 + 16
    }

    /// How many answers are held.
    var count: Int { index.count }

    /// The bytes that they take.
    var bytes: Int { policy.weight }

    /// The slot of a key's answer.
    func slot(of key: CacheKey) -> Int? { index[key] }

    /// The terms of the answer in a slot.
    func terms(in slot: Int) -> CacheTerms? { terms.indices.contains(slot) ? terms[slot] : nil }

    /// The answer in a slot.
    func value(in slot: Int) -> Value? {
        contents.indices.contains(slot) ? contents[slot]?.value : nil
    }

    /// The answer in a slot was asked for and given.
    mutating func recordHit(_ slot: Int) { policy.recordHit(slot) }

    /// An answer was asked for that could not be given.
    mutating func recordMiss(_ key: CacheKey) { policy.recordMiss(key.hash(seed: seed)) }

    /// Stores an answer, in place of the one that its key has.
    ///
    /// - Parameters:
    ///   - value: the answer.
    ///   - bytes: what it takes.
    ///   - key: what it answers.
    ///   - terms: until when it may be given.
    /// - Returns: the answers that are not held any more, perhaps this one among them.
    mutating func put(
        _ value: Value, bytes: Int, for key: CacheKey, terms: CacheTerms
    ) -> [Departure] {
        let fixed = CacheEntries.overheadBytes + key.textBytes
        let (weight, overflow) = max(bytes, 0).addingReportingOverflow(fixed)
        let fits = !overflow && weight <= policy.capacity
        var gone: [Departure] = []
        if let slot = index[key], let old = self.terms[slot] {
            gone.append(Departure(model: old.model, cause: fits ? .replaced : .evicted))
            guard fits else {
                _ = remove(slot)
                return gone + [Departure(model: terms.model, cause: .tooLarge)]
            }
            fill(slot, Content(key: key, value: value), terms)
            policy.setWeight(weight, of: slot)
        } else {
            guard fits, let slot = policy.insert(hash: key.hash(seed: seed), weight: weight) else {
                return [Departure(model: terms.model, cause: .tooLarge)]
            }
            fill(slot, Content(key: key, value: value), terms)
            index[key] = slot
        }
        takeDepartures(into: &gone)
        return gone
    }

    /// Takes an answer out; its terms.
    mutating func remove(_ slot: Int) -> CacheTerms? {
        guard let terms = terms(in: slot) else { return nil }
        policy.remove(slot)
        forget(slot)
        return terms
    }

    /// The slots of the answers to the keys that `isMeant` is true of; looks at all.
    func slots(where isMeant: (CacheKey) -> Bool) -> [Int] {
        contents.indices.filter { contents[$0].map { isMeant($0.key) } ?? false }
    }

    /// The next slot in turn, for what looks at a few at a time.
    mutating func nextSlot() -> Int {
        sweptSlot = sweptSlot + 1 < terms.count ? sweptSlot + 1 : 0
        return sweptSlot
    }

    private mutating func fill(_ slot: Int, _ content: Content, _ newTerms: CacheTerms) {
        while terms.count <= slot {
            terms.append(nil)
            contents.append(nil)
        }
        terms[slot] = newTerms
        contents[slot] = content
    }

    private mutating func takeDepartures(into gone: inout [Departure]) {
        for departure in policy.departures {
            guard let terms = terms(in: departure.slot) else { continue }
            gone.append(
                Departure(
                    model: terms.model, cause: departure.isRejected ? .rejected : .evicted))
            forget(departure.slot)
        }
    }

    private mutating func forget(_ slot: Int) {
        if let content = contents[slot] { index[content.key] = nil }
        terms[slot] = nil
        contents[slot] = nil
    }
}
