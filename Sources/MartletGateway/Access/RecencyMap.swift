/// A dictionary that knows which of its keys was used least recently; every operation takes
/// constant time.
///
/// The order is a doubly linked list whose links are places in an array.
struct RecencyMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Node: Sendable {
        let key: Key
        var value: Value
        /// The neighbour that was used before, and the one that was used after; nil at the ends.
        var older: Int?
        var newer: Int?
    }

    private var places: [Key: Int] = [:]
    /// Nil where a node was removed.
    private var nodes: [Node?] = []
    private var free: [Int] = []
    private var oldest: Int?
    private var newest: Int?

    var count: Int { places.count }

    /// The value of a key, which does not count as use.
    subscript(key: Key) -> Value? { places[key].flatMap { nodes[$0]?.value } }

    /// The key that was used least recently, and its value.
    var leastRecent: (key: Key, value: Value)? {
        oldest.flatMap { nodes[$0] }.map { ($0.key, $0.value) }
    }

    /// Sets the value of a key, which is now the one used most recently.
    mutating func use(_ key: Key, _ value: Value) {
        if let place = places[key] {
            nodes[place]?.value = value
            unlink(place)
            linkNewest(place)
            return
        }
        let node = Node(key: key, value: value)
        let place = free.popLast() ?? nodes.count
        if place == nodes.count { nodes.append(node) } else { nodes[place] = node }
        places[key] = place
        linkNewest(place)
    }

    /// Changes the value of a key that is there, which does not count as use.
    mutating func update(_ key: Key, _ change: (inout Value) -> Void) {
        guard let place = places[key], var node = nodes[place] else { return }
        change(&node.value)
        nodes[place] = node
    }

    mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        unlink(place)
        nodes[place] = nil
        free.append(place)
    }

    private mutating func unlink(_ place: Int) {
        let older = nodes[place]?.older
        let newer = nodes[place]?.newer
        if let older { nodes[older]?.newer = newer } else { oldest = newer }
        if let newer { nodes[newer]?.older = older } else { newest = older }
        nodes[place]?.older = nil
        nodes[place]?.newer = nil
    }

    private mutating func linkNewest(_ place: Int) {
        nodes[place]?.older = newest
        if let newest { nodes[newest]?.newer = place } else { oldest = place }
        newest = place
    }
}
