/// Decides which entries a cache of bounded weight keeps.
///
/// W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy",
/// ACM Transactions on Storage 13, 2017). A newcomer enters a small window, kept by recency. Who
/// has to leave the window goes on to the main space only if it is asked for more often than those
/// it would displace, by a ``FrequencySketch`` of all requests; so a scan of keys that nobody asks
/// for again displaces nothing. The main space is a segmented LRU: entries asked for again are
/// protected from those that were not. How large the window is, ``WindowClimber`` finds out.
///
/// Entries have weights, such as bytes. A heavy candidate has to be asked for more often than all
/// that it would displace are together. Source: Einziger, Eytan, Friedman and Manes, "Lightweight
/// robust size aware cache management", ACM Transactions on Storage 18, 2022 (there called
/// aggregated victims).
///
/// It knows neither keys nor values. Every operation takes constant time, averaged over those that
/// add entries.
struct WindowTinyLFU: Sendable {
    /// An entry that the policy has let go.
    struct Departure: Sendable, Equatable {
        /// Where it was; the slot may be used anew from the next insertion on.
        let slot: Int
        /// Whether it was never in the main space, but lost when it should have gone there.
        let isRejected: Bool
    }

    /// What protected entries may weigh, as a part of the main space; that of the paper.
    private static let protectedShare = 0.8
    /// Most entries that one newcomer may displace; more are not looked at.
    private static let victimsMax = 128
    /// A candidate asked for at least so often sometimes gets in though it has lost, lest an entry
    /// that was made to look popular keeps the door shut.
    private static let warmFrequency = 6
    /// One of how many such candidates.
    private static let luck: UInt64 = 128
    /// Fewest requests in a period of the window's; there are as many as entries.
    private static let periodMin = 2000

    /// What all entries may weigh.
    let capacity: Int
    /// The entries that the last insertion or change of weight made leave.
    private(set) var departures: [Departure] = []

    private var lists = SlotLists()
    private var sketch: FrequencySketch
    private var climber = WindowClimber()
    /// Whether it has ever been full; until then hits tell nothing of the window.
    private var hasFilled = false
    private var randomState: UInt64
    private var victims: [Int] = []

    /// An empty policy.
    ///
    /// - Parameters:
    ///   - capacity: what all entries may weigh.
    ///   - entriesMax: for how many entries frequencies are kept well apart.
    ///   - seed: makes its few random choices.
    init(capacity: Int, entriesMax: Int = 1 << 24, seed: UInt64) {
        self.capacity = min(max(capacity, 0), 1 << 50)
        sketch = FrequencySketch(entriesMax: entriesMax)
        randomState = seed
    }

    /// What all entries weigh.
    var weight: Int { lists.weight }

    /// How many entries there are.
    var count: Int { lists.count }

    /// What the window may weigh.
    var windowMax: Int { min(max(Int(Double(capacity) * climber.share), 1), capacity) }

    private var mainMax: Int { capacity - windowMax }

    private var mainWeight: Int {
        lists.weight(of: .probation) + lists.weight(of: .protected)
    }

    // MARK: Requests

    /// A key was asked for that is not here.
    mutating func recordMiss(_ hash: UInt64) {
        observe(hash, isHit: false)
    }

    /// An entry was asked for.
    mutating func recordHit(_ slot: Int) {
        guard lists.holds(slot) else { return }
        let node = lists[slot]
        observe(node.hash, isHit: true)
        switch node.segment {
        case .window, .protected:
            lists.move(slot, toFrontOf: node.segment)
        case .probation:
            let protectedMax = Int(Double(mainMax) * Self.protectedShare)
            guard node.weight <= protectedMax else {
                lists.move(slot, toFrontOf: .probation)
                return
            }
            lists.move(slot, toFrontOf: .protected)
            while lists.weight(of: .protected) > protectedMax,
                let last = lists.last(of: .protected)
            {
                lists.move(last, toFrontOf: .probation)
            }
        }
    }

    private mutating func observe(_ hash: UInt64, isHit: Bool) {
        sketch.increment(hash)
        guard hasFilled else { return }
        climber.record(isHit: isHit, period: max(count, Self.periodMin))
    }

    // MARK: Entries

    /// Adds an entry; ``departures`` then has those that had to go, perhaps the new one too.
    ///
    /// - Returns: its slot; nil if it is heavier than the whole cache, which changes nothing.
    mutating func insert(hash: UInt64, weight: Int) -> Int? {
        departures.removeAll(keepingCapacity: true)
        guard weight <= capacity else { return nil }
        let weight = max(weight, 1)
        // One that the window cannot hold is judged first, and does not empty it.
        let slot = lists.insert(
            hash: hash, weight: weight, into: .window, atFront: weight <= windowMax)
        sketch.fit(entries: count)
        settle()
        return slot
    }

    /// Changes the weight of an entry, up to the capacity; ``departures`` then has those that had
    /// to go.
    mutating func setWeight(_ weight: Int, of slot: Int) {
        departures.removeAll(keepingCapacity: true)
        guard lists.holds(slot) else { return }
        lists.setWeight(min(max(weight, 1), capacity), of: slot)
        settle()
    }

    /// Takes an entry out.
    mutating func remove(_ slot: Int) {
        guard lists.holds(slot) else { return }
        lists.release(slot)
    }

    // MARK: Admission

    /// Brings window and main space within their bounds, which add up to the capacity.
    private mutating func settle() {
        // After a larger window, or a heavier entry, there is nothing to be judged by.
        while weight > capacity, mainWeight > mainMax, let victim = lastOfMain {
            depart(victim, isRejected: false)
        }
        while lists.weight(of: .window) > windowMax, let candidate = lists.last(of: .window) {
            judge(candidate)
        }
    }

    private var lastOfMain: Int? { lists.last(of: .probation) ?? lists.last(of: .protected) }

    /// Moves an entry of the window into the main space, or lets it go.
    private mutating func judge(_ candidate: Int) {
        let excess = mainWeight + lists[candidate].weight - mainMax
        if excess > 0 {
            hasFilled = true
            guard wins(candidate, excess: excess) else {
                depart(candidate, isRejected: true)
                return
            }
            for victim in victims { depart(victim, isRejected: false) }
        }
        lists.move(candidate, toFrontOf: .probation)
    }

    /// Whether a candidate is asked for more often than all that it would displace, which are then
    /// in `victims`.
    private mutating func wins(_ candidate: Int, excess: Int) -> Bool {
        victims.removeAll(keepingCapacity: true)
        let frequency = sketch.estimate(lists[candidate].hash)
        let isLucky = frequency >= Self.warmFrequency && nextRandom() % Self.luck == 0
        var (freed, opposed) = (0, 0)
        var next = lists.last(of: .probation)
        var isProbation = true
        while freed < excess {
            if next == nil, isProbation {
                next = lists.last(of: .protected)
                isProbation = false
            }
            guard let victim = next, victims.count < Self.victimsMax else { return false }
            opposed += sketch.estimate(lists[victim].hash)
            guard frequency > opposed || isLucky else { return false }
            freed += lists[victim].weight
            victims.append(victim)
            next = lists.previous(of: victim)
        }
        return true
    }

    private mutating func depart(_ slot: Int, isRejected: Bool) {
        lists.release(slot)
        departures.append(Departure(slot: slot, isRejected: isRejected))
    }

    private mutating func nextRandom() -> UInt64 {
        randomState &+= 0x9e37_79b9_7f4a_7c15
        return SeededHash.mix(randomState)
    }
}
