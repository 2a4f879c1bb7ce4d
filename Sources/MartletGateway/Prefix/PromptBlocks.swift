/// A prompt as the hashes of its beginnings, by which prompts that begin alike are known.
///
/// The text is cut into blocks of equal size. The hash of a block is about the whole text up to its
/// end, so two prompts have as many equal hashes in front as they have equal blocks; and it is about
/// all that a cache of prefixes is divided by: model, adapter, tools, tenant. Equal hashes may, once
/// in a very long while, stand for different texts; that costs a cache hit and nothing else.
///
/// Source: the block hashes by which vLLM's automatic prefix caching names the blocks of its cache,
/// there over tokens. The gateway has no tokenizer and takes bytes, of which an English token has
/// about four.
public struct PromptBlocks: Sendable, Equatable {
    /// One for each full block, the first first.
    public let hashes: [UInt64]
    /// Names the adapter (LoRA) that the request is for; nil for the model alone.
    public let adapterKey: UInt64?
    /// The same for requests that their client wants at one endpoint; nil where it says nothing.
    public let sessionKey: UInt64?
    /// Bytes of the prompt's text that were read, those beyond the last full block counted.
    public let textBytes: Int

    /// A prompt of these hashes.
    public init(
        hashes: [UInt64], adapterKey: UInt64? = nil, sessionKey: UInt64? = nil,
        textBytes: Int = 0
    ) {
        self.hashes = hashes
        self.adapterKey = adapterKey
        self.sessionKey = sessionKey
        self.textBytes = textBytes
    }

    /// What the prompt is to an endpoint that has nothing of it, in blocks.
    ///
    /// One more than there are full blocks: for what is beyond the last of them, and for the answer,
    /// so that no request counts as nothing.
    var work: Double { Double(hashes.count) + 1 }
}

/// Hashes a text block by block, each hash going on from the one before.
struct BlockHasher {
    /// Of the blocks that are full, in order.
    private(set) var hashes: [UInt64] = []
    /// Bytes that were taken in.
    private(set) var bytes = 0

    private var chain: SeededHash
    private let blockBytes: Int
    private let blocksMax: Int
    private var word: UInt64 = 0
    private var left: Int

    /// Begins a text.
    ///
    /// - Parameters:
    ///   - seed: what the caches are divided by, and a secret.
    ///   - blockBytes: the size of a block, 1 or more.
    ///   - blocksMax: how many blocks are hashed; what follows is passed by.
    init(seed: SeededHash, blockBytes: Int, blocksMax: Int) {
        chain = seed
        self.blockBytes = max(blockBytes, 1)
        self.blocksMax = blocksMax
        left = self.blockBytes
    }

    /// Whether all blocks that are hashed are full.
    var isFull: Bool { hashes.count >= blocksMax }

    /// Takes bytes in that follow those before.
    mutating func append(_ text: ArraySlice<UInt8>) {
        for byte in text {
            guard !isFull else { return }
            append(byte)
        }
    }

    /// Takes one byte in.
    mutating func append(_ byte: UInt8) {
        guard !isFull else { return }
        bytes += 1
        word = word << 8 | UInt64(byte)
        left -= 1
        let isEnd = left == 0
        guard isEnd || left.isMultiple(of: 8) else { return }
        chain.combine(word)
        word = 0
        guard isEnd else { return }
        hashes.append(chain.value)
        left = blockBytes
    }
}
