/// The entries of a cache in three lists by recency, threaded through one array.
///
/// An entry is named by its slot, a place in the array, which is used anew once it is released. No
/// operation allocates, but when the array grows; all take constant time.
struct SlotLists: Sendable {
    /// Which list an entry is in.
    enum Segment: Int, Sendable, CaseIterable {
        /// Newcomers.
        case window
        /// Of the main space: asked for once since it came there.
        case probation
        /// Of the main space: asked for again.
        case protected
    }

    /// An entry as the lists know it; all but the links are the policy's.
    struct Node: Sendable {
        var hash: UInt64
        var weight: Int
        fileprivate(set) var segment: Segment
        /// Whether the slot is in use.
        fileprivate(set) var isHeld = true
        /// Towards the most recent; ``none`` at the front.
        fileprivate var previous = SlotLists.none
        /// Towards the least recent, or the next free slot.
        fileprivate var next = SlotLists.none
    }

    private struct List {
        var first = SlotLists.none
        var last = SlotLists.none
        var weight = 0
    }

    private static let none = -1

    private var nodes: [Node] = []
    private var lists = [List](repeating: List(), count: Segment.allCases.count)
    private var firstFree = SlotLists.none

    /// Entries in all lists.
    private(set) var count = 0

    /// The weight of all entries.
    var weight: Int { lists[0].weight + lists[1].weight + lists[2].weight }

    /// The weight of a list's entries.
    func weight(of segment: Segment) -> Int { lists[segment.rawValue].weight }

    /// The entry in a slot that is held.
    subscript(slot: Int) -> Node { nodes[slot] }

    /// Whether a slot is held.
    func holds(_ slot: Int) -> Bool { nodes.indices.contains(slot) && nodes[slot].isHeld }

    /// The entry used least recently.
    func last(of segment: Segment) -> Int? {
        let last = lists[segment.rawValue].last
        return last == SlotLists.none ? nil : last
    }

    /// The entry of the same list that was used next after this one.
    func previous(of slot: Int) -> Int? {
        let previous = nodes[slot].previous
        return previous == SlotLists.none ? nil : previous
    }

    /// Takes a slot for a new entry, at the front of a list or at its back.
    mutating func insert(hash: UInt64, weight: Int, into segment: Segment, atFront: Bool) -> Int {
        let node = Node(hash: hash, weight: weight, segment: segment)
        var slot = firstFree
        if slot == SlotLists.none {
            slot = nodes.count
            nodes.append(node)
        } else {
            firstFree = nodes[slot].next
            nodes[slot] = node
        }
        count += 1
        link(slot, into: segment, atFront: atFront)
        return slot
    }

    /// Gives a slot back.
    mutating func release(_ slot: Int) {
        unlink(slot)
        count -= 1
        nodes[slot].isHeld = false
        nodes[slot].next = firstFree
        firstFree = slot
    }

    /// Makes an entry the most recent of a list.
    mutating func move(_ slot: Int, toFrontOf segment: Segment) {
        unlink(slot)
        link(slot, into: segment, atFront: true)
    }

    /// Changes the weight of an entry.
    mutating func setWeight(_ weight: Int, of slot: Int) {
        lists[nodes[slot].segment.rawValue].weight += weight - nodes[slot].weight
        nodes[slot].weight = weight
    }

    private mutating func link(_ slot: Int, into segment: Segment, atFront: Bool) {
        nodes[slot].segment = segment
        lists[segment.rawValue].weight += nodes[slot].weight
        let list = lists[segment.rawValue]
        nodes[slot].previous = atFront ? SlotLists.none : list.last
        nodes[slot].next = atFront ? list.first : SlotLists.none
        join(nodes[slot].previous, slot, in: segment)
        join(slot, nodes[slot].next, in: segment)
    }

    private mutating func unlink(_ slot: Int) {
        let node = nodes[slot]
        lists[node.segment.rawValue].weight -= node.weight
        join(node.previous, node.next, in: node.segment)
    }

    /// Makes two slots neighbours; either may be none, which is an end of the list.
    private mutating func join(_ left: Int, _ right: Int, in segment: Segment) {
        if left == SlotLists.none {
            lists[segment.rawValue].first = right
        } else {
            nodes[left].next = right
        }
        if right == SlotLists.none {
            lists[segment.rawValue].last = left
        } else {
            nodes[right].previous = left
        }
    }
}
