extension PrefixTree {
    /// Adds what a running slot has decoded since.
    ///
    /// Where another slot had decoded the same in the meantime, its cells are to be used and the
    /// slot's own to be given up.
    ///
    /// - Parameters:
    ///   - slot: a running slot.
    ///   - tokens: what follows its sequence.
    /// - Returns: how many of the first tokens there were already, and a slot that holds them.
    mutating func extend(
        _ slot: SlotID, with tokens: ArraySlice<TokenID>
    ) -> (duplicates: Int, source: SlotID?) {
        guard running.contains(slot), let start = ends[Int(slot)] else { return (0, nil) }
        var node = start
        var rest = tokens
        var found: (duplicates: Int, source: SlotID?) = (0, nil)
        while let first = rest.first, let child = child(of: node, beginning: first) {
            let common = Self.commonLength(nodes[child].tokens[...], rest)
            node = split(child, at: nodes[child].start + common)
            found = (found.duplicates + common, nodes[node].holders.first)
            hold(node, by: slot)
            rest = rest.dropFirst(common)
        }
        if !rest.isEmpty { node = append(rest, to: node, by: slot) }
        ends[Int(slot)] = node
        mergeIntoChild(start)
        return found
    }

    // MARK: Inside

    /// The child of a node whose tokens begin with one.
    func child(of node: Int, beginning token: TokenID) -> Int? {
        nodes[node].children.first { nodes[$0].tokens.first == token }
    }

    /// The nodes from one up to its root.
    func path(to node: Int) -> some Sequence<Int> {
        sequence(first: node) { nodes[$0].parent }
    }

    /// How many of the first tokens are the same.
    static func commonLength(_ left: ArraySlice<TokenID>, _ right: ArraySlice<TokenID>) -> Int {
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                let count = min(left.count, right.count)
                var index = 0
                while index < count, left[index] == right[index] { index += 1 }
                return index
            }
        }
    }

    mutating func root(of scope: PrefixScope) -> Int {
        if let root = roots[scope] { return root }
        let root = add(Node(scope: scope))
        roots[scope] = root
        return root
    }

    private mutating func add(_ node: Node) -> Int {
        if let index = freeNodes.popLast() {
            nodes[index] = node
            return index
        }
        nodes.append(node)
        return nodes.count - 1
    }

    /// A running slot takes part in a node.
    mutating func hold(_ node: Int, by slot: SlotID) {
        // The slot itself is not among the holders yet.
        if nodes[node].holders.isDisjoint(with: running) {
            neededCells += nodes[node].tokens.count
        }
        nodes[node].holders.insert(slot)
    }

    private mutating func append(
        _ tokens: ArraySlice<TokenID>, to node: Int, by slot: SlotID
    ) -> Int {
        cells += tokens.count
        neededCells += tokens.count
        var own = SlotSet()
        own.insert(slot)
        let isLeaf = nodes[node].children.isEmpty && nodes[node].parent != nil
        if isLeaf, nodes[node].holders == own {
            nodes[node].tokens.append(contentsOf: tokens)
            return node
        }
        let start = nodes[node].start + nodes[node].tokens.count
        let child = add(Node(tokens: Array(tokens), start: start, parent: node, holders: own))
        nodes[node].children.append(child)
        return child
    }

    /// Makes a node end before a position of the sequence.
    ///
    /// - Returns: the node that ends there; the rest of it keeps its name, so that slots that end
    ///   in it need no change.
    mutating func split(_ node: Int, at position: Int) -> Int {
        let offset = position - nodes[node].start
        guard offset > 0, offset < nodes[node].tokens.count else { return node }
        let parent = nodes[node].parent
        let upper = add(
            Node(
                tokens: Array(nodes[node].tokens.prefix(offset)), start: nodes[node].start,
                parent: parent, children: [node], holders: nodes[node].holders))
        if let parent { replace(child: node, of: parent, by: upper) }
        nodes[node].tokens.removeFirst(offset)
        nodes[node].start = position
        nodes[node].parent = upper
        return upper
    }

    /// A slot lets go of the nodes from one up to another, which it keeps.
    mutating func release(_ slot: SlotID, from bottom: Int, upTo top: Int?) {
        var node: Int? = bottom
        while let current = node, current != top {
            let parent = nodes[current].parent
            nodes[current].holders.remove(slot)
            if nodes[current].holders.isEmpty {
                drop(current)
            } else {
                mergeIntoChild(current)
            }
            node = parent
        }
    }

    /// Removes a node that nobody holds; so it has no children.
    private mutating func drop(_ node: Int) {
        cells -= nodes[node].tokens.count
        if let parent = nodes[node].parent {
            nodes[parent].children.removeAll { $0 == node }
        }
        if let scope = nodes[node].scope { roots[scope] = nil }
        free(node)
    }

    private mutating func free(_ node: Int) {
        nodes[node] = Node()
        freeNodes.append(node)
    }

    /// Joins a node with its only child if the same slots hold both: then none ends between them.
    mutating func mergeIntoChild(_ node: Int) {
        guard let parent = nodes[node].parent, nodes[node].children.count == 1,
            let child = nodes[node].children.first, nodes[child].holders == nodes[node].holders
        else { return }
        nodes[child].tokens.insert(contentsOf: nodes[node].tokens, at: 0)
        nodes[child].start = nodes[node].start
        nodes[child].parent = parent
        replace(child: node, of: parent, by: child)
        free(node)
    }

    private mutating func replace(child: Int, of parent: Int, by other: Int) {
        if let place = nodes[parent].children.firstIndex(of: child) {
            nodes[parent].children[place] = other
        }
    }
}
