import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Admission by W-TinyLFU")
struct WindowTinyLFUTests {
    @Test func emptyPolicy_takesAllUntilItIsFull() {
        var policy = WindowTinyLFU(capacity: 100, seed: 1)
        for hash in UInt64(0)..<100 {
            #expect(policy.insert(hash: SeededHash.mix(hash), weight: 1) != nil)
            #expect(policy.departures.isEmpty)
        }
        #expect(policy.weight == 100 && policy.count == 100)
        _ = policy.insert(hash: SeededHash.mix(100), weight: 1)
        #expect(policy.weight == 100 && policy.departures.count == 1)
    }

    @Test func newcomersAskedForOnce_displaceNextToNothingThatIsAskedForOften() {
        var policy = WindowTinyLFU(capacity: 100, seed: 1)
        // All but the window are asked for five times.
        let slots = (UInt64(0)..<99).compactMap { hash in
            policy.insert(hash: SeededHash.mix(hash), weight: 1)
        }
        for slot in slots + slots + slots + slots + slots { policy.recordHit(slot) }
        var displaced = 0
        for hash in UInt64(1000)..<1400 {
            policy.recordMiss(SeededHash.mix(hash))
            _ = policy.insert(hash: SeededHash.mix(hash), weight: 1)
            displaced += policy.departures.count { !$0.isRejected }
        }
        // One in a thousand shares all its counters with keys that are.
        #expect(displaced <= 3 && slots.count == 99 && policy.weight == 100)
    }

    @Test func heavyCandidate_hasToBeatAllThatItWouldDisplaceTogether() {
        for askedFor in 1...12 {
            var policy = WindowTinyLFU(capacity: 1000, seed: 1)
            // Ten entries, each asked for once, fill the main space (990) but for a little.
            for hash in UInt64(0)..<10 {
                policy.recordMiss(SeededHash.mix(hash))
                _ = policy.insert(hash: SeededHash.mix(hash), weight: 98)
            }
            let heavy = SeededHash.mix(1000)
            for _ in 0..<askedFor { policy.recordMiss(heavy) }
            let slot = policy.insert(hash: heavy, weight: 490)
            // It needs the room of five.
            let isRejected = policy.departures.contains { $0.slot == slot && $0.isRejected }
            #expect(isRejected == (askedFor <= 5), "\(askedFor)")
        }
    }

    @Test func entryHeavierThanTheCache_isNotTaken() {
        var policy = WindowTinyLFU(capacity: 100, seed: 1)
        #expect(policy.insert(hash: 1, weight: 101) == nil)
        #expect(policy.weight == 0)
        var nothing = WindowTinyLFU(capacity: -5, seed: 1)
        _ = nothing.insert(hash: 1, weight: -3)
        #expect(nothing.weight == 0 && nothing.count == 0)
    }

    @Test func slotThatIsNotHeld_isIgnored() {
        var policy = WindowTinyLFU(capacity: 100, seed: 1)
        let slot = policy.insert(hash: 1, weight: 1) ?? -1
        policy.remove(slot)
        for stranger in [slot, -1, 7, .max] {
            policy.remove(stranger)
            policy.recordHit(stranger)
            policy.setWeight(5, of: stranger)
        }
        #expect(policy.weight == 0 && policy.count == 0)
    }

    @Test func randomOperations_neverBreakTheBound() {
        for seed in SimulationSeeds.first(2000) {
            var world = PolicyWorld(seed: seed)
            let violation = world.run(steps: 150)
            #expect(violation == nil, "\(SimulationSeeds.replay(seed))")
        }
    }
}

/// The policy, and beside it what entries there are by its own words.
private struct PolicyWorld {
    private var generator: SeededGenerator
    private var policy: WindowTinyLFU
    private var weights: [Int: Int] = [:]
    private var totalWeight = 0
    private let heaviest: Int

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 0...2000, using: &generator)
        heaviest = max(1, capacity / Int.random(in: 1...50, using: &generator) + 1)
        policy = WindowTinyLFU(capacity: capacity, seed: generator.next())
    }

    mutating func run(steps: Int) -> String? {
        for step in 0..<steps {
            if let violation = self.step() ?? stateViolation() {
                return "step \(step): \(violation)"
            }
        }
        return nil
    }

    private mutating func step() -> String? {
        let hash = SeededHash.mix(UInt64.random(in: 0..<100, using: &generator))
        let weight = Int.random(in: 0...heaviest, using: &generator)
        // Slots are used anew, so that most of the lowest are held.
        let slot = Int.random(in: -1...weights.count, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: policy.recordMiss(hash)
        case 1:
            policy.remove(slot)
            setWeight(nil, of: slot)
        case 2:
            policy.setWeight(weight, of: slot)
            guard weights[slot] != nil else { return nil }
            setWeight(min(max(weight, 1), policy.capacity), of: slot)
            return takeDepartures()
        case 3...6: policy.recordHit(slot)
        default:
            policy.recordMiss(hash)
            guard let slot = policy.insert(hash: hash, weight: weight) else {
                return weight <= policy.capacity ? "refused what would fit" : nil
            }
            if weights[slot] != nil { return "slot \(slot) given twice" }
            setWeight(max(weight, 1), of: slot)
            return takeDepartures()
        }
        return nil
    }

    private mutating func setWeight(_ weight: Int?, of slot: Int) {
        totalWeight += (weight ?? 0) - (weights[slot] ?? 0)
        weights[slot] = weight
    }

    private mutating func takeDepartures() -> String? {
        for departure in policy.departures {
            if weights[departure.slot] == nil { return "\(departure) left, which was not there" }
            setWeight(nil, of: departure.slot)
        }
        return nil
    }

    private func stateViolation() -> String? {
        if policy.weight > policy.capacity { return "weight \(policy.weight)" }
        if policy.count != weights.count { return "count \(policy.count), not \(weights.count)" }
        return policy.weight == totalWeight ? nil : "weight \(policy.weight), not \(totalWeight)"
    }
}
