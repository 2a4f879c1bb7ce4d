/// Where the scheduler's slots lie among the engine's sequences of split memory.
///
/// llama.cpp computes sequences of split memory together only where their numbers follow one
/// another: eight that are scattered over 64 cost eight passes over the weights in place of one. So
/// those that run are kept at the lowest numbers.
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

    /// Gives those slots of a step that did not run before the lowest places that none of the step
    /// has.
    ///
    /// - Parameter slots: that have a part in the step.
    /// - Returns: pairs of the engine's sequences whose cells are to be exchanged, in order.
    mutating func settle(_ slots: [SlotID]) -> [(SlotID, SlotID)] {
        let wanted = Set(slots)
        defer { running = wanted }
        var exchanges: [(SlotID, SlotID)] = []
        var lowest = 0
        for slot in slots where !running.contains(slot) && places.indices.contains(Int(slot)) {
            while lowest < occupants.count, wanted.contains(occupants[lowest]) { lowest += 1 }
            let place = places[Int(slot)]
            guard lowest < place else { continue }
            let other = SlotID(lowest)
            exchanges.append((place, other))
            exchange(place, other)
        }
        return exchanges
    }

    private mutating func exchange(_ first: SlotID, _ second: SlotID) {
        let slots = (occupants[Int(first)], occupants[Int(second)])
        occupants[Int(first)] = slots.1
        occupants[Int(second)] = slots.0
        places[Int(slots.0)] = second
        places[Int(slots.1)] = first
    }
}
