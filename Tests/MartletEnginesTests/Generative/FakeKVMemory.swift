@testable import MartletEngines

/// llama.cpp's KV memory, as far as its rules go: cells with a position and any number of slots.
///
/// A cell remembers what it was computed from: its token, and the cells before it. So a cell that is
/// used in any other history than its own is found out.
struct FakeKVMemory {
    struct Cell: Equatable {
        var token: TokenID = 0
        var position = 0
        /// Stands for all tokens up to this one, and their scope.
        var history: UInt64 = 0
        var owners = 0
    }

    /// What the engine is told and must not be.
    struct Violation: Error {
        let text: String
    }

    /// Most cells, of all slots together.
    let capacity: Int
    /// Whether slots have cells of their own.
    let isSplit: Bool
    private(set) var used = 0
    private var cells: [Cell] = []
    private var free: [Int] = []
    /// The cells of a slot by position; -1 where one was removed.
    private var slots: [[Int]]

    init(capacity: Int, slots: Int, isSplit: Bool = false) {
        self.capacity = capacity
        self.isSplit = isSplit
        self.slots = Array(repeating: [], count: slots)
    }

    func tokens(of slot: SlotID) -> [TokenID] {
        slots[Int(slot)].map { $0 < 0 ? -1 : cells[$0].token }
    }

    func count(of slot: SlotID) -> Int { slots[Int(slot)].count }

    /// Lets go of everything.
    mutating func clear() {
        for slot in slots.indices { remove(SlotID(slot), 0..<slots[slot].count) }
    }

    mutating func apply(_ operation: KVOperation) throws {
        switch operation {
        case .share(let source, let target, let positions):
            try share(
                from: source, to: target, Int(positions.lowerBound)..<Int(positions.upperBound))
        case .remove(let slot, let positions):
            remove(slot, Int(positions.lowerBound)..<Int(positions.upperBound))
        }
    }

    /// Decodes tokens of one slot.
    ///
    /// - Returns: the history that the logits of each token see.
    mutating func decode(
        _ tokens: ArraySlice<TokenID>, at start: Int, in slot: SlotID, root: UInt64
    ) throws -> [UInt64] {
        guard start == slots[Int(slot)].count else {
            throw Violation(
                text: "slot \(slot) has \(slots[Int(slot)].count) cells, not \(start)")
        }
        var history = try self.history(of: slot, root: root)
        var seen: [UInt64] = []
        for token in tokens {
            guard used < capacity else { throw Violation(text: "no cell is free") }
            history = Self.mix(history, token)
            let position = slots[Int(slot)].count
            let cell = Cell(token: token, position: position, history: history, owners: 1)
            slots[Int(slot)].append(add(cell))
            seen.append(history)
        }
        return seen
    }

    /// What a sequence's next token depends on.
    static func mix(_ history: UInt64, _ token: TokenID) -> UInt64 {
        var mixed = (history ^ UInt64(UInt32(bitPattern: token))) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 29
        return mixed &* 0xbf58_476d_1ce4_e5b9
    }

    // MARK: -

    /// Every cell of a slot must have been computed from just those before it.
    private func history(of slot: SlotID, root: UInt64) throws -> UInt64 {
        var history = root
        for (position, index) in slots[Int(slot)].enumerated() {
            guard index >= 0 else { throw Violation(text: "slot \(slot) has a hole") }
            history = Self.mix(history, cells[index].token)
            guard cells[index].position == position, cells[index].history == history else {
                throw Violation(text: "slot \(slot) has a wrong cell at \(position)")
            }
        }
        return history
    }

    private mutating func share(
        from source: SlotID, to target: SlotID, _ positions: Range<Int>
    ) throws {
        let cells = slots[Int(source)].dropFirst(positions.lowerBound).prefix(positions.count)
        guard source != target, cells.count == positions.count, !cells.contains(-1) else {
            throw Violation(text: "slot \(source) has not the cells \(positions)")
        }
        if isSplit, positions.lowerBound > 0 || !slots[Int(target)].isEmpty {
            throw Violation(text: "only whole sequences can be copied")
        }
        for (position, index) in zip(positions, cells) {
            try put(index, in: target, at: position)
        }
    }

    private mutating func put(_ index: Int, in slot: SlotID, at position: Int) throws {
        var shared = index
        if isSplit {
            var copy = cells[index]
            copy.owners = 1
            shared = add(copy)
        } else {
            cells[index].owners += 1
        }
        if position == slots[Int(slot)].count {
            slots[Int(slot)].append(shared)
        } else if position < slots[Int(slot)].count, slots[Int(slot)][position] < 0 {
            slots[Int(slot)][position] = shared
        } else {
            throw Violation(text: "slot \(slot) cannot take a cell at \(position)")
        }
    }

    private mutating func remove(_ slot: SlotID, _ positions: Range<Int>) {
        let range = positions.clamped(to: 0..<slots[Int(slot)].count)
        for position in range {
            let index = slots[Int(slot)][position]
            slots[Int(slot)][position] = -1
            guard index >= 0 else { continue }
            cells[index].owners -= 1
            if cells[index].owners == 0 {
                free.append(index)
                used -= 1
            }
        }
        while slots[Int(slot)].last == -1 { slots[Int(slot)].removeLast() }
    }

    private mutating func add(_ cell: Cell) -> Int {
        used += 1
        if let index = free.popLast() {
            cells[index] = cell
            return index
        }
        cells.append(cell)
        return cells.count - 1
    }
}
