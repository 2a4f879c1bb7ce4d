/// The knobs of ``PrefixAware``, and of the reading of prompts for it.
///
/// Sizes of texts are in bytes, since the gateway has no tokenizer; sizes of caches and of work are
/// in tokens, of which each counts as ``bytesPerToken``.
public struct PrefixConfiguration: Sendable, Equatable {
    /// The size of a block of a prompt's text, from 16 to 65,536 bytes (default 256, about 64
    /// tokens).
    ///
    /// Smaller finds shorter common beginnings, and costs more memory and time.
    public let blockBytes: Int
    /// Most blocks of one prompt, from 1 to 65,536 (default 2048, about 128 thousand tokens); what
    /// follows is passed by.
    public let blocksMax: Int
    /// Tokens that an endpoint is taken to hold in its cache unless it says so itself, from 1 to 2^40
    /// (default 131,072).
    public let cacheTokens: Int
    /// Most blocks that are noted of one endpoint, whatever it says, from 1 to 2^24 (default
    /// 262,144).
    ///
    /// Each takes about 95 bytes.
    public let blocksNotedMax: Int
    /// How much less the blocks of a beginning count that several prompts have in common, 0 or more
    /// (default 2): 1/(1 + `commonWeight` × joins), where so many prompts had the same beginning
    /// lately and went on otherwise.
    ///
    /// What many have in common is soon wanted everywhere, and is computed but once at each
    /// endpoint: the cost of that is shared by those who come after.
    public let commonWeight: Double
    /// What a block of work in flight at an endpoint counts against a block of the prompt that it
    /// holds, 0 or more (default 0.1).
    ///
    /// Far below 1, for most of a request's time its answer is written, while other prompts can be
    /// read.
    public let inFlightWeight: Double
    /// What a block that an endpoint was given lately counts, 0 or more (default 0.03).
    public let recentWeight: Double
    /// How long it takes until what an endpoint was given counts for 1/e of itself, 1 ms or more
    /// (default 60 s).
    public let recentTime: Duration
    /// How many times the mean of what endpoints were given lately one may have been given, and how
    /// many times the mean of requests in flight it may have, 1 or more (default 1.5).
    public let loadFactor: Double
    /// Tokens that an endpoint may be ahead of that, 0 or more (default 8192).
    ///
    /// So that a handful of conversations is not torn apart in the name of evenness.
    public let slackTokens: Int
    /// Requests in flight that an endpoint may be ahead of `loadFactor` times their mean, rounded
    /// up; 0 or more (default 2).
    ///
    /// What runs takes its part of an endpoint even where nothing of its prompt was to be computed.
    public let slackRequests: Int
    /// Tokens of a prompt that it is worth to have an answer written in half the time, 0 or more
    /// (default 32).
    ///
    /// Answers that are written at one endpoint share it: each takes (1 + requests in flight
    /// there) ÷ (1 + requests in flight where they are fewest) times as long. More makes for evener
    /// use of few endpoints by few clients, and tears more conversations apart.
    public let requestTokens: Int
    /// Tokens that it is worth to meet an endpoint which has the adapter at hand, 0 or more (default
    /// 1024).
    public let adapterTokens: Int
    /// Adapters that an endpoint is taken to have at hand, those used last, from 1 to 4096 (default
    /// 8).
    public let adaptersMax: Int
    /// Tokens that it is worth to meet the endpoint where the request's session was last, 0 or more
    /// (default 4096).
    public let sessionTokens: Int
    /// Sessions that are noted of an endpoint, those seen last, from 1 to 2^20 (default 16,384).
    public let sessionsMax: Int

    /// Bytes that count as a token: about what an English text has.
    public static let bytesPerToken = 4

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    public init(
        blockBytes: Int = 256,
        blocksMax: Int = 2048,
        cacheTokens: Int = 131_072,
        blocksNotedMax: Int = 262_144,
        commonWeight: Double = 2,
        inFlightWeight: Double = 0.1,
        recentWeight: Double = 0.03,
        recentTime: Duration = .seconds(60),
        loadFactor: Double = 1.5,
        slackTokens: Int = 8192,
        slackRequests: Int = 2,
        requestTokens: Int = 32,
        adapterTokens: Int = 1024,
        adaptersMax: Int = 8,
        sessionTokens: Int = 4096,
        sessionsMax: Int = 16_384
    ) {
        self.blockBytes = min(max(blockBytes, 16), 65_536)
        self.blocksMax = min(max(blocksMax, 1), 65_536)
        self.cacheTokens = min(max(cacheTokens, 1), 1 << 40)
        self.blocksNotedMax = min(max(blocksNotedMax, 1), 1 << 24)
        self.commonWeight = Self.factor(commonWeight)
        self.inFlightWeight = Self.factor(inFlightWeight)
        self.recentWeight = Self.factor(recentWeight)
        self.recentTime = max(recentTime, .milliseconds(1))
        self.loadFactor = max(Self.factor(loadFactor), 1)
        self.slackTokens = min(max(slackTokens, 0), 1 << 40)
        self.slackRequests = min(max(slackRequests, 0), 1 << 40)
        self.requestTokens = min(max(requestTokens, 0), 1 << 40)
        self.adapterTokens = min(max(adapterTokens, 0), 1 << 40)
        self.adaptersMax = min(max(adaptersMax, 1), 4096)
        self.sessionTokens = min(max(sessionTokens, 0), 1 << 40)
        self.sessionsMax = min(max(sessionsMax, 1), 1 << 20)
    }

    /// So many tokens in blocks.
    func blocks(ofTokens tokens: Int) -> Double {
        Double(tokens) * Double(Self.bytesPerToken) / Double(blockBytes)
    }

    /// The blocks that are noted of an endpoint which holds so many tokens.
    func capacity(ofTokens tokens: Int) -> Int {
        Int(min(max(blocks(ofTokens: tokens), 1), Double(blocksNotedMax)))
    }

    /// A factor that makes no score infinite, or no number.
    private static func factor(_ factor: Double) -> Double {
        factor >= 0 ? min(factor, 1e6) : 0
    }
}
