/// Which sequences may share cells: the same adapter computed them, for the same audience.
struct PrefixScope: Sendable, Hashable {
    /// The LoRA adapter, by name; another one makes other cells of the same tokens.
    let adapter: String?
    /// Who may learn of each other's prompts.
    let audience: String
}

/// The longest beginning of a prompt that some sequence holds already.
struct PrefixMatch: Sendable, Equatable {
    /// The node that the last common token is in; `nil` if there is none.
    var node: Int?
    /// How many tokens are common.
    var length = 0
    /// Of these, such as no running sequence needs.
    var idleCells = 0
}

/// The token sequences that the slots of an engine's KV memory hold, as a radix tree.
///
/// A node is a run of cells: the tokens in it, and the slots that hold them. So each distinct cell
/// is counted once, and cells are freed when the last slot lets go of them. A slot's sequence is the
/// path from a root to the node where it ends. Slots are running or cached; cached ones are kept
/// for their prefix until they are evicted, the least recently used first. The idea is that of
/// RadixAttention (Zheng et al., "SGLang: Efficient Execution of Structured Language Model
/// Programs", 2024); here cells have several owners, as llama.cpp's have.
///
/// There is a tree for each scope. What ``PrefixTree`` says of cells is true of the engine if each
/// of its changes is carried out there; see ``KVOperation``.
///
/// Finding and adding take time proportional to the tokens in question.
struct PrefixTree: Sendable {
    struct Node: Sendable {
        /// Empty for a root, and only for a root.
        var tokens: [TokenID] = []
        /// Where the first of ``tokens`` is in its sequence.
        var start = 0
        /// `nil` for a root.
        var parent: Int?
        /// Their first tokens differ.
        var children: [Int] = []
        /// The slots whose sequence goes through here; those of a node are in its parent too.
        var holders = SlotSet()
        /// Of a root.
        var scope: PrefixScope?
    }

    var nodes: [Node] = []
    var freeNodes: [Int] = []
    var roots: [PrefixScope: Int] = [:]
    /// The node where a slot's sequence ends; `nil` for slots that are not in the tree.
    var ends: [Int?]
    /// Grows with every use.
    private var useClock: UInt64 = 0
    private var lastUse: [UInt64]

    /// Slots whose sequence runs.
    private(set) var running = SlotSet()
    /// Slots whose sequence is kept for its prefix alone.
    private(set) var cached = SlotSet()
    /// Distinct cells that slots hold.
    var cells = 0
    /// Of these, such as running slots hold.
    var neededCells = 0

    /// An empty tree.
    init() {
        ends = Array(repeating: nil, count: SlotSet.capacity)
        lastUse = Array(repeating: 0, count: SlotSet.capacity)
    }

    // MARK: Finding

    /// The longest beginning of some tokens that is held by a slot.
    ///
    /// - Parameters:
    ///   - tokens: the prompt.
    ///   - limit: most tokens of it that are wanted.
    ///   - scope: where to look.
    /// - Returns: what was found; it is valid until the tree changes.
    func match(_ tokens: [TokenID], limit: Int, in scope: PrefixScope) -> PrefixMatch {
        guard var node = roots[scope] else { return PrefixMatch() }
        var match = PrefixMatch()
        var rest = tokens.prefix(max(0, limit))
        while let first = rest.first, let child = child(of: node, beginning: first) {
            let common = Self.commonLength(nodes[child].tokens[...], rest)
            match.node = child
            match.length += common
            if nodes[child].holders.isDisjoint(with: running) { match.idleCells += common }
            guard common == nodes[child].tokens.count else { break }
            rest = rest.dropFirst(common)
            node = child
        }
        return match
    }

    /// A slot that holds all of a match.
    func holder(of match: PrefixMatch) -> SlotID? {
        match.node.flatMap { nodes[$0].holders.first }
    }

    /// Whether a slot holds all of a match.
    func holds(_ slot: SlotID, _ match: PrefixMatch) -> Bool {
        match.node.map { nodes[$0].holders.contains(slot) } ?? false
    }

    /// A cached slot whose sequence is exactly the match: nothing is lost if it is continued.
    func cachedSlot(endingAt match: PrefixMatch) -> SlotID? {
        guard let node = match.node,
            match.length == nodes[node].start + nodes[node].tokens.count
        else { return nil }
        return nodes[node].holders.first { cached.contains($0) && ends[Int($0)] == node }
    }

    /// The cached slot whose last use is longest ago.
    var leastRecentlyUsed: SlotID? {
        cached.min { lastUse[Int($0)] < lastUse[Int($1)] }
    }

    // MARK: Slots

    /// Notes that a slot's sequence was of use.
    mutating func touch(_ slot: SlotID) {
        useClock += 1
        lastUse[Int(slot)] = useClock
    }

    /// An empty slot begins to run, with the cells of a match.
    mutating func begin(_ slot: SlotID, at match: PrefixMatch, in scope: PrefixScope) {
        guard ends[Int(slot)] == nil else { return }
        let end = match.node.map { split($0, at: match.length) } ?? root(of: scope)
        running.insert(slot)
        var node: Int? = end
        while let current = node {
            hold(current, by: slot)
            node = nodes[current].parent
        }
        ends[Int(slot)] = end
        touch(slot)
    }

    /// A cached slot runs again, with as much of its sequence as a match that it holds.
    mutating func resume(_ slot: SlotID, at match: PrefixMatch) {
        guard cached.contains(slot), holds(slot, match), let matched = match.node,
            let end = ends[Int(slot)]
        else { return }
        let node = split(matched, at: match.length)
        // The split leaves the lower part its name, so that this is still where the slot ends.
        if end != node { release(slot, from: end, upTo: node) }
        ends[Int(slot)] = node
        cached.remove(slot)
        for node in path(to: node) where nodes[node].holders.isDisjoint(with: running) {
            neededCells += nodes[node].tokens.count
        }
        running.insert(slot)
        touch(slot)
    }

    /// A running slot's sequence is kept for its prefix.
    ///
    /// Where another slot holds all of it, that one was of use.
    ///
    /// - Returns: whether it is of any use: another slot may hold all of it.
    mutating func settle(_ slot: SlotID) -> Bool {
        guard running.contains(slot), let end = ends[Int(slot)] else { return false }
        running.remove(slot)
        for node in path(to: end) where nodes[node].holders.isDisjoint(with: running) {
            neededCells -= nodes[node].tokens.count
        }
        cached.insert(slot)
        touch(slot)
        guard nodes[end].parent != nil else { return false }
        guard let other = nodes[end].holders.first(where: { $0 != slot }) else { return true }
        touch(other)
        return false
    }

    /// A cached slot lets go of its cells.
    mutating func remove(_ slot: SlotID) {
        guard cached.contains(slot), let end = ends[Int(slot)] else { return }
        cached.remove(slot)
        ends[Int(slot)] = nil
        release(slot, from: end, upTo: nil)
    }
}
