/// What a generative model is busy with, and what it has done since it was loaded.
public struct GenerationLoad: Sendable, Equatable {
    /// Requests that wait.
    public var waiting = 0

    /// Tokens of their prompts, and what they had generated before they were preempted.
    public var waitingTokens = 0

    /// Sequences that run.
    public var running = 0

    /// Of these, such as have not had their whole prompt decoded.
    public var prefilling = 0

    /// KV cells that hold a token, each counted once however many sequences share it.
    public var cellsUsed = 0

    /// Of these, such as running sequences need; the others are the prefix cache.
    public var cellsNeeded = 0

    /// KV cells that there are.
    public var cellsTotal = 0

    /// Slots that hold a sequence, running or cached.
    public var slotsUsed = 0

    /// How long the decode loop has been at the step that is under way; zero where none is, and
    /// where the engine does not tell.
    public var stepAge = Duration.zero

    /// What has been done so far.
    public var counters = GenerationCounters()

    /// Nothing.
    public init() {}

    /// How full the KV memory is with what cannot be given up, 0 to 1: what routers go by.
    public var cellShareNeeded: Double {
        cellsTotal > 0 ? Double(cellsNeeded) / Double(cellsTotal) : 0
    }
}

/// Sums since a generative model was loaded.
public struct GenerationCounters: Sendable, Equatable {
    /// Requests taken.
    public var submitted = 0

    /// Requests refused since the queue was full.
    public var refused = 0

    /// Requests that ended with an end token, stop string, or all the tokens they might have.
    public var completed = 0

    /// Requests whose client went away.
    public var cancelled = 0

    /// Requests whose deadline passed.
    public var expired = 0

    /// Requests that ended with an error.
    public var failed = 0

    /// Tokens of the prompts that were begun.
    public var promptTokens = 0

    /// Of these, such as were found in the prefix cache.
    public var prefixHitTokens = 0

    /// Tokens generated.
    public var generatedTokens = 0

    /// Sequences that had to give up their cells for others.
    public var preemptions = 0

    /// Tokens decoded a second time after a preemption.
    public var recomputedTokens = 0

    /// Cached sequences given up for want of cells or slots.
    public var evictions = 0

    /// Tokens guessed ahead from what a sequence said before.
    public var draftsProposed = 0

    /// Of these, such as the model agreed with.
    public var draftsAccepted = 0

    /// Tokens guessed ahead by a draft model.
    public var modelDraftsProposed = 0

    /// Of these, such as the model agreed with.
    public var modelDraftsAccepted = 0

    /// Steps that succeeded.
    public var steps = 0

    /// Steps that failed and were tried again.
    public var failedSteps = 0

    /// Tokens decoded, in prompts and in texts.
    public var decodedTokens = 0

    /// Nothing.
    public init() {}
}
