public import MartletCore

/// Which requests to a generative model go before others.
public enum GenerationPriority: Int, Sendable, Hashable, CaseIterable, Comparable {
    /// Before all others.
    case high
    /// What requests have that say nothing.
    case normal
    /// When nothing else waits.
    case low

    /// Those that go first sort first.
    public static func < (left: GenerationPriority, right: GenerationPriority) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One sequence to be generated.
///
/// A client that asks for several (`n`) makes as many requests; they share the prompt's cells. Stop
/// strings are the business of those who see text: they end a request by
/// ``GenerativeModel/cancel(_:reason:)``.
public struct GenerationRequest: Sendable {
    /// The prompt's tokens, with the chat template applied and whatever the model begins with.
    public var prompt: [TokenID]

    /// Most tokens to generate; `nil` until the model ends or the context is full.
    public var newTokensMax: Int?

    /// Tokens that end the text, beside those of the model.
    public var stopTokens: [TokenID] = []

    /// Whether the model's own end tokens do not end the text.
    public var ignoresEndTokens = false

    /// How tokens are chosen.
    public var sampling = SamplingParameters()

    /// Whose it is: tenants of one priority share the model fairly; empty for nobody in
    /// particular.
    public var tenant = ""

    /// Which requests it goes before.
    public var priority = GenerationPriority.normal

    /// When its client stops waiting.
    public var deadline = Deadline.never

    /// The LoRA adapter to apply, by name; `nil` for the model as it is.
    public var adapter: String?

    /// The chat that the prompt is of: its grammar holds where ``SamplingParameters/grammar`` names
    /// none, and the special tokens that it needs are in the text.
    public var chat: (any RenderedChat)?

    /// Whether cells of a common prefix may be taken from other sequences, and given to them.
    public var usesPrefixCache = true

    /// Only requests of the same scope share cells; `nil` for those of the same tenant.
    ///
    /// What is shared can be told from the time to the first token: a scope must not hold those who
    /// must not learn of each other's prompts.
    public var cacheScope: String?

    /// How many sequences its client asks for at once, this one among them: a model of two engines
    /// has one of them make all.
    public var sequences = 1

    /// Whether another engine takes it where this one cannot go on: then it does not wait until a
    /// worker is started again.
    var hasOtherEngine = false

    /// Whether it may wait however many do: a trial's, which are few, and come before any client
    /// has the model.
    var isExemptFromQueueLimit = false

    /// Creates a request.
    public init(prompt: [TokenID], newTokensMax: Int? = nil) {
        self.prompt = prompt
        self.newTokensMax = newTokensMax
    }
}

/// A request that is turned away at the door.
public struct GenerationRefusal: Error, Sendable {
    /// What the client is told: `INVALID_ARGUMENT`, `RESOURCE_EXHAUSTED`, `DEADLINE_EXCEEDED` or
    /// `UNAVAILABLE`.
    public let error: ServingError

    /// When it is worth to try again, for a queue that is full (`Retry-After`).
    public let retryAfter: Duration?

    /// Creates a refusal.
    public init(_ error: ServingError, retryAfter: Duration? = nil) {
        self.error = error
        self.retryAfter = retryAfter
    }

    /// The error of a request that was taken, and is turned away while it waits: it holds this
    /// refusal as its cause.
    var servingError: ServingError { ServingError(error.code, error.message, cause: self) }
}
