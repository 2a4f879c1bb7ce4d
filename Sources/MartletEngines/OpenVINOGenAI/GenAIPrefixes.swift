/// What the engine's prefix cache must hold, as far as it follows from what it was given.
///
/// The engine does not say how much of a prompt it found. It keeps whole blocks of tokens, finds
/// them by all that is before them, and gives up those that were used the longest time ago; the
/// same is done here with hashes. It may find a part of a further block, so this is the least.
struct GenAIPrefixes: Sendable {
    /// Tokens of a block of the engine's on processors.
    static let blockTokens = 32

    private let blocksMax: Int
    /// When each block was last used, by the hash of its tokens and all before them.
    private var uses: [Int: UInt64] = [:]
    private var clock: UInt64 = 0

    /// A cache of so many tokens that is empty.
    init(cells: Int) {
        blocksMax = max(1, cells / GenAIPrefixes.blockTokens)
    }

    /// How many of a prompt's tokens the engine need not compute: never all, as the last one's
    /// scores are needed.
    func length(of prompt: [TokenID]) -> Int {
        var blocks = 0
        GenAIPrefixes.forEachBlock(of: prompt) { hash in
            guard uses[hash] != nil else { return false }
            blocks += 1
            return true
        }
        return max(0, min(blocks * GenAIPrefixes.blockTokens, prompt.count - 1))
    }

    /// The engine has computed tokens.
    mutating func insert(_ tokens: [TokenID]) {
        clock += 1
        var hashes: [Int] = []
        GenAIPrefixes.forEachBlock(of: tokens) { hash in
            hashes.append(hash)
            return true
        }
        for hash in hashes { uses[hash] = clock }
        guard uses.count > blocksMax else { return }
        let oldest = uses.sorted { $0.value < $1.value }.prefix(uses.count - blocksMax * 7 / 8)
        for (hash, _) in oldest { uses[hash] = nil }
    }

    private static func forEachBlock(of tokens: [TokenID], _ body: (Int) -> Bool) {
        var hash = 0
        var start = 0
        while start + blockTokens <= tokens.count {
            var hasher = Hasher()
            hasher.combine(hash)
            for token in tokens[start..<start + blockTokens] { hasher.combine(token) }
            hash = hasher.finalize()
            guard body(hash) else { return }
            start += blockTokens
        }
    }
}
