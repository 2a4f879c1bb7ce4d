/// A set of slots, as bits.
///
/// It holds slots 0 to 255, the most that llama.cpp has; others are never in it.
struct SlotSet: Sendable, Equatable {
    /// How many slots there can be.
    static let capacity = 256

    private var words = SIMD4<UInt64>()

    /// Whether no slot is in it.
    var isEmpty: Bool { words == .zero }

    /// How many slots are in it.
    var count: Int { (0..<4).reduce(0) { $0 + words[$1].nonzeroBitCount } }

    /// The lowest slot.
    var first: SlotID? {
        for word in 0..<4 where words[word] != 0 {
            return SlotID(word * 64 + words[word].trailingZeroBitCount)
        }
        return nil
    }

    /// Whether a slot is in it.
    func contains(_ slot: SlotID) -> Bool {
        guard Self.isSlot(slot) else { return false }
        return words[Int(slot) >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    /// Adds a slot.
    mutating func insert(_ slot: SlotID) {
        guard Self.isSlot(slot) else { return }
        words[Int(slot) >> 6] |= 1 << UInt64(slot & 63)
    }

    /// Takes a slot out.
    mutating func remove(_ slot: SlotID) {
        guard Self.isSlot(slot) else { return }
        words[Int(slot) >> 6] &= ~(1 << UInt64(slot & 63))
    }

    /// Whether no slot is in both.
    func isDisjoint(with other: SlotSet) -> Bool { words & other.words == .zero }

    private static func isSlot(_ slot: SlotID) -> Bool { slot >= 0 && slot < capacity }
}

extension SlotSet: Sequence {
    /// Goes from the lowest slot to the highest.
    struct Iterator: IteratorProtocol {
        fileprivate var rest: SlotSet

        mutating func next() -> SlotID? {
            guard let slot = rest.first else { return nil }
            rest.remove(slot)
            return slot
        }
    }

    func makeIterator() -> Iterator { Iterator(rest: self) }
}
