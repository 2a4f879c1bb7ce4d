@testable import MartletGateway

/// The share of a load's requests that a way of caching answers, after so many that warm it up.
///
/// `hits` says of each request whether it is answered.
private func ratio(_ load: CacheLoad, warmUp: Int, hits: (Int, Int) -> Bool) -> Double {
    var count = 0
    for (index, key) in load.requests.enumerated() where hits(index, Int(key)) && index >= warmUp {
        count += 1
    }
    return Double(count) / Double(max(load.requests.count - warmUp, 1))
}

extension CacheLoad {
    /// The share of hits with the gateway's own policy.
    func tinyLFU(capacity: Int, warmUp: Int, seed: UInt64 = 1) -> Double {
        var policy = WindowTinyLFU(capacity: capacity, seed: seed)
        var slots = [Int](repeating: -1, count: keys)
        var held: [Int] = []
        return ratio(self, warmUp: warmUp) { _, key in
            if slots[key] >= 0 {
                policy.recordHit(slots[key])
                return true
            }
            let hash = SeededHash.mix(UInt64(key) ^ seed)
            policy.recordMiss(hash)
            guard let slot = policy.insert(hash: hash, weight: weight(of: key)) else {
                return false
            }
            while held.count <= slot { held.append(-1) }
            held[slot] = key
            slots[key] = slot
            for departure in policy.departures { slots[held[departure.slot]] = -1 }
            return false
        }
    }

    /// The share of hits when the least recently used has to go.
    func leastRecentlyUsed(capacity: Int, warmUp: Int) -> Double {
        var lists = SlotLists()
        var slots = [Int](repeating: -1, count: keys)
        return ratio(self, warmUp: warmUp) { _, key in
            if slots[key] >= 0 {
                lists.move(slots[key], toFrontOf: .window)
                return true
            }
            slots[key] = lists.insert(
                hash: UInt64(key), weight: weight(of: key), into: .window, atFront: true)
            while lists.weight > capacity, let last = lists.last(of: .window) {
                slots[Int(lists[last].hash)] = -1
                lists.release(last)
            }
            return false
        }
    }

    /// The share of hits of one who knows the future: no way of caching has more, if all answers
    /// weigh one.
    ///
    /// Of those held and the newcomer, the one goes that is asked for the latest. Source: L. A.
    /// Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems
    /// Journal 5, 1966; here a newcomer may also be turned away.
    func optimum(capacity: Int, warmUp: Int) -> Double {
        let never = Int32.max
        var next = [Int32](repeating: never, count: requests.count)
        var last = [Int32](repeating: never, count: keys)
        for index in requests.indices.reversed() {
            next[index] = last[Int(requests[index])]
            last[Int(requests[index])] = Int32(index)
        }
        // When each key held is asked for next; -1 if it is not held.
        var held = [Int32](repeating: -1, count: keys)
        var count = 0
        var latest = LatestFirst()
        return ratio(self, warmUp: warmUp) { index, key in
            let isHit = held[key] >= 0
            if !isHit {
                guard next[index] != never, capacity > 0 else { return false }
                if count == capacity {
                    while let top = latest.first, held[top.key] != top.time { latest.removeFirst() }
                    guard let top = latest.first, top.time > next[index] else { return false }
                    held[top.key] = -1
                    count -= 1
                }
                count += 1
            }
            held[key] = next[index]
            latest.insert(key: key, time: next[index])
            return isHit
        }
    }
}

/// A binary heap of keys, with the one that is asked for the latest first.
private struct LatestFirst {
    private var items: [(key: Int, time: Int32)] = []

    var first: (key: Int, time: Int32)? { items.first }

    mutating func insert(key: Int, time: Int32) {
        items.append((key, time))
        var index = items.count - 1
        while index > 0, items[(index - 1) / 2].time < items[index].time {
            items.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeFirst() {
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var index = 0
        while true {
            var largest = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < items.count && items[child].time > items[largest].time {
                largest = child
            }
            guard largest != index else { return }
            items.swapAt(index, largest)
            index = largest
        }
    }
}
