/// What each of several holders has in its cache of prefixes, as far as it can be told from what it
/// was sent: the blocks used last, as many as it can hold.
///
/// It is approximate. A holder keeps what it likes by its own rules, other gateways send it prompts,
/// too, and it may begin anew; so a block that is noted may be gone, and one that is not may be
/// there. Noting a prompt makes its first block the one used last, so that of a prompt the end is
/// forgotten first, as a tree of prefixes is evicted from its leaves.
///
/// Of each block it is noted how many prompts joined in with what was there up to it, and ended or
/// went on otherwise: many do where they have a beginning in common, and none where a conversation
/// ends that is to go on.
///
/// All holders' blocks are in one array, linked by use for each holder, and by hash. A look-up takes
/// a step for each block that some holder has, and in it one for each holder of that block.
struct PrefixIndex: Sendable {
    /// A block that a holder has.
    private struct Node: Sendable {
        var hash: UInt64
        var holder: Int
        /// Prompts of which this was the last block that the holder had.
        var joins = FadingCount()
        /// Towards the one used least recently, and most recently.
        var older = PrefixIndex.none
        var newer = PrefixIndex.none
        /// The same block at another holder, or the next free place.
        var next = PrefixIndex.none
    }

    private struct Holder: Sendable {
        var capacity = 0
        var count = 0
        var oldest = PrefixIndex.none
        var newest = PrefixIndex.none
        var isInUse = true
    }

    private static let none = -1

    private var nodes: [Node] = []
    private var firstFree = PrefixIndex.none
    private var heads: [UInt64: Int] = [:]
    private var holders: [Holder] = []
    private let joinTime: Duration

    /// An index without holders.
    ///
    /// - Parameter joinTime: how long it takes until a prompt that joined in counts for 1/e of
    ///   itself.
    init(joinTime: Duration = .seconds(60)) { self.joinTime = joinTime }

    /// Blocks noted, of all holders.
    var count: Int { holders.reduce(0) { $0 + $1.count } }

    /// Blocks noted of a holder.
    func count(of holder: Int) -> Int {
        holders.indices.contains(holder) ? holders[holder].count : 0
    }

    // MARK: Holders

    /// Adds a holder of so many blocks; answers with its number, which may have been another's that
    /// was removed.
    mutating func addHolder(capacity: Int) -> Int {
        let holder = Holder(capacity: max(capacity, 0))
        guard let place = holders.firstIndex(where: { !$0.isInUse }) else {
            holders.append(holder)
            return holders.count - 1
        }
        holders[place] = holder
        return place
    }

    /// Removes a holder and all that is noted of it.
    mutating func removeHolder(_ holder: Int) {
        guard isKnown(holder) else { return }
        clear(holder)
        holders[holder].isInUse = false
    }

    /// Says how many blocks a holder can have.
    mutating func setCapacity(_ holder: Int, _ capacity: Int) {
        guard isKnown(holder) else { return }
        holders[holder].capacity = max(capacity, 0)
        evict(holder)
    }

    /// Forgets what a holder has, as when it began anew.
    mutating func clear(_ holder: Int) {
        guard isKnown(holder) else { return }
        while holders[holder].oldest != Self.none { release(holders[holder].oldest) }
    }

    private func isKnown(_ holder: Int) -> Bool {
        holders.indices.contains(holder) && holders[holder].isInUse
    }

    // MARK: Blocks

    /// How many blocks of a prompt each holder has, by its number, counted from the first to the one
    /// before the first that it has not.
    func matches(_ hashes: [UInt64]) -> [Int] {
        var matches = [Int](repeating: 0, count: holders.count)
        for (depth, hash) in hashes.enumerated() {
            guard var place = heads[hash] else { break }
            var isMatched = false
            while place != Self.none {
                let node = nodes[place]
                if matches[node.holder] == depth {
                    matches[node.holder] = depth + 1
                    isMatched = true
                }
                place = node.next
            }
            guard isMatched else { break }
        }
        return matches
    }

    /// How many prompts lately had their last match where this one has its longest.
    ///
    /// - Parameters:
    ///   - hashes: the prompt.
    ///   - matches: what ``matches(_:)`` says of it.
    ///   - now: the time.
    /// - Returns: their number, which fades with time.
    func joins(of hashes: [UInt64], _ matches: [Int], now: Duration) -> Double {
        guard let depth = matches.max(), hashes.indices.contains(depth - 1) else { return 0 }
        var joins = 0.0
        var place = heads[hashes[depth - 1]] ?? Self.none
        while place != Self.none {
            let node = nodes[place]
            if matches[node.holder] == depth {
                joins += node.joins.value(now: now, within: joinTime)
            }
            place = node.next
        }
        return joins
    }

    /// Notes that a holder was sent a prompt.
    mutating func record(_ hashes: [UInt64], at holder: Int, now: Duration = .zero) {
        guard isKnown(holder) else { return }
        var hasJoined = false
        for hash in hashes.prefix(holders[holder].capacity).reversed() {
            if let place = place(of: hash, at: holder) {
                // From behind, the first that is there is the last of the match.
                if !hasJoined { nodes[place].joins.add(1, now: now, within: joinTime) }
                hasJoined = true
                unlink(place)
                link(place)
            } else {
                insert(hash, at: holder)
            }
        }
        // In the end, lest a block of the prompt itself is the oldest on the way.
        evict(holder)
    }

    /// Notes that nobody has a block any more.
    mutating func forget(_ hash: UInt64) {
        while let place = heads[hash] { release(place) }
    }

    private func place(of hash: UInt64, at holder: Int) -> Int? {
        guard var place = heads[hash] else { return nil }
        while place != Self.none {
            if nodes[place].holder == holder { return place }
            place = nodes[place].next
        }
        return nil
    }

    private mutating func insert(_ hash: UInt64, at holder: Int) {
        let node = Node(hash: hash, holder: holder, next: heads[hash] ?? Self.none)
        var place = firstFree
        if place == Self.none {
            place = nodes.count
            nodes.append(node)
        } else {
            firstFree = nodes[place].next
            nodes[place] = node
        }
        heads[hash] = place
        holders[holder].count += 1
        link(place)
    }

    private mutating func evict(_ holder: Int) {
        while holders[holder].count > holders[holder].capacity {
            release(holders[holder].oldest)
        }
    }

    /// Gives a place back.
    private mutating func release(_ place: Int) {
        let node = nodes[place]
        unlink(place)
        holders[node.holder].count -= 1
        removeFromHash(place, node)
        nodes[place].next = firstFree
        firstFree = place
    }

    private mutating func removeFromHash(_ place: Int, _ node: Node) {
        guard var before = heads[node.hash] else { return }
        if before == place {
            heads[node.hash] = node.next == Self.none ? nil : node.next
            return
        }
        while nodes[before].next != Self.none {
            if nodes[before].next == place {
                nodes[before].next = node.next
                return
            }
            before = nodes[before].next
        }
    }

    // MARK: Order of use

    /// Makes a block the one used last of its holder.
    private mutating func link(_ place: Int) {
        let holder = nodes[place].holder
        let newest = holders[holder].newest
        nodes[place].older = newest
        nodes[place].newer = Self.none
        if newest == Self.none {
            holders[holder].oldest = place
        } else {
            nodes[newest].newer = place
        }
        holders[holder].newest = place
    }

    private mutating func unlink(_ place: Int) {
        let node = nodes[place]
        if node.older == Self.none {
            holders[node.holder].oldest = node.newer
        } else {
            nodes[node.older].newer = node.newer
        }
        if node.newer == Self.none {
            holders[node.holder].newest = node.older
        } else {
            nodes[node.newer].older = node.older
        }
    }
}
