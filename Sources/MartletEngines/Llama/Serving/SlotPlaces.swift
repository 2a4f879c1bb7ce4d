/// Where the scheduler's slots lie among the engine's sequences of split memory.
///
/// llama.cpp computes sequences of split memory together only where their numbers follow one
/// another: eight that are scattered over 64 cost eight passes over the weights in place of one. So
/// those that run are kept side by side.
struct SlotPlaces: Sendable {
    /// The engine's sequence of each slot.
    private var places: [SlotID]
    /// The slot of each of the engine's sequences.
    private var occupants: [SlotID]
    /// Slots that had a part in the last step.
    private var running: Set<SlotID> = []

    /// Each slot at the place of its own number.
    init(count: Int) {
        places = (0..<SlotID(clamping: max(0, count))).map { $0 }
        occupants = places
    }

    /// The engine's sequence that a slot is; its own number for one that there is not.
    subscript(slot: SlotID) -> SlotID {
        places.indices.contains(Int(slot)) ? places[Int(slot)] : slot
    }

    /// Puts those slots of a step that did not run before next to those that did, or between them.
    ///
    /// One that lies there already, or that runs alone, stays where it is: an exchange copies all
    /// that both have.
    ///
    /// - Parameter slots: that have a part in the step.
    /// - Returns: pairs of the engine's sequences whose cells are to be exchanged, in order.
    mutating func settle(_ slots: [SlotID]) -> [(SlotID, SlotID)] {
        let wanted = Set(slots)
        defer { running = wanted }
        var exchanges: [(SlotID, SlotID)] = []
        var block: ClosedRange<Int>?
        for slot in wanted.intersection(running) { block = extend(block, with: slot) }
        for slot in slots where !running.contains(slot) && places.indices.contains(Int(slot)) {
            block = block.map { reach(of: $0, wanted) }
            if let block, let target = target(of: slot, beside: block, wanted) {
                exchanges.append((places[Int(slot)], target))
                exchange(places[Int(slot)], target)
            }
            block = extend(block, with: slot)
        }
        return exchanges
    }

    private func extend(_ block: ClosedRange<Int>?, with slot: SlotID) -> ClosedRange<Int>? {
        guard places.indices.contains(Int(slot)) else { return block }
        let place = Int(places[Int(slot)])
        guard let block else { return place...place }
        return min(block.lowerBound, place)...max(block.upperBound, place)
    }

    /// A block with those that lie next to it already.
    private func reach(of block: ClosedRange<Int>, _ wanted: Set<SlotID>) -> ClosedRange<Int> {
        var (first, last) = (block.lowerBound, block.upperBound)
        while first > 0, wanted.contains(occupants[first - 1]) { first -= 1 }
        while last + 1 < occupants.count, wanted.contains(occupants[last + 1]) { last += 1 }
        return first...last
    }

    /// Where a slot is to lie; `nil` if it may stay where it is.
    private func target(
        of slot: SlotID, beside block: ClosedRange<Int>, _ wanted: Set<SlotID>
    ) -> SlotID? {
        let own = Int(places[Int(slot)])
        guard !(block.lowerBound - 1...block.upperBound + 1).contains(own) else { return nil }
        func isFree(_ place: Int) -> Bool {
            occupants.indices.contains(place) && !wanted.contains(occupants[place])
        }
        let place =
            block.first(where: isFree)
            ?? [block.upperBound + 1, block.lowerBound - 1].first(where: isFree)
        return place.map { SlotID($0) }
    }

    private mutating func exchange(_ first: SlotID, _ second: SlotID) {
        let slots = (occupants[Int(first)], occupants[Int(second)])
        occupants[Int(first)] = slots.1
        occupants[Int(second)] = slots.0
        places[Int(slots.0)] = second
        places[Int(slots.1)] = first
    }
}
