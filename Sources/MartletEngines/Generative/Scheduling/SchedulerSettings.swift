/// How an engine shares cells between slots.
public enum PrefixSharing: String, Sendable, Hashable, CaseIterable {
    /// Cells have several owners: llama.cpp's unified KV memory.
    case byReference
    /// A slot gets a copy of another's cells: memory split between slots.
    case byCopy
    /// Not at all: a sequence ends, and its cells are free. For models whose memory cannot be cut,
    /// such as recurrent ones.
    case none
}

/// The bounds and choices of a ``GenerationScheduler``.
struct SchedulerSettings: Sendable, Equatable {
    /// KV cells of all slots together (`n_ctx` of unified memory).
    ///
    /// Where memory is split, as many as all slots have; then ``contextTokensMax`` is what one has.
    var cells: Int

    /// Sequences that the engine can hold, running or cached (`n_seq_max`).
    var slots: Int

    /// Most tokens of a sequence.
    var contextTokensMax: Int

    /// Most tokens of a step (`n_batch`).
    var stepTokensMax: Int

    /// Most sequences that run at once.
    var runningMax: Int

    /// The part of a step's tokens that long prompts may take while other sequences decode, 0 to 1;
    /// at least one token.
    ///
    /// It bounds how long a prompt delays the next token of others. Tokens far into a text count for
    /// as many as take their time (``TokenCost``).
    var prefillShare = SchedulerSettings.prefillShareUsual

    /// Where nothing is said of ``prefillShare``.
    static let prefillShareUsual = 0.25

    /// What positions of a prompt are expected to cost, until steps have told; if nothing, it is not
    /// learned either.
    var expectedCost = TokenCost()

    /// Cells to be free for each running sequence when another is let in, so that it need not be
    /// preempted soon.
    var reserveCells = 16

    /// Most requests that wait; preempted ones are let in again whatever their number.
    var waitingMax = 1024

    /// Most tokens that waiting requests have together.
    var waitingTokensMax = SchedulerSettings.usualWaitingTokensMax
    static let usualWaitingTokensMax = 4 * 1024 * 1024

    /// How cells are shared.
    var sharing = PrefixSharing.byReference

    /// A request waits for another's prompt to be decoded if that saves it so many tokens.
    var deferralTokensMin = 32

    /// How many tokens the model has: others are refused.
    var vocabularySize = Int(TokenID.max)

    /// Tokens that end a text, unless the request says otherwise.
    var endTokens: [TokenID] = []

    /// What a prompt's token costs a tenant of its share.
    var promptTokenCost: Double = 1

    /// What a generated token costs a tenant of its share.
    var generatedTokenCost: Double = 2

    /// Most tokens to guess ahead in a sequence from what it said before; 0 for no guesses.
    var draftTokensMax = 0

    /// Most tokens that a draft model guesses ahead in a sequence; 0 without such a model.
    var draftModelTokensMax = 0

    /// Where nothing is said of ``draftSequencesMax``.
    static let draftSequencesUsual = 4

    /// No guesses are made while more sequences than this decode: then the step is busy enough.
    var draftSequencesMax = SchedulerSettings.draftSequencesUsual

    /// Whether anything is guessed.
    var guesses: Bool { draftTokensMax > 0 || draftModelTokensMax > 0 }

    /// Where guesses come from.
    var lookup = PromptLookup()

    /// Steps that may be aborted in a row before it counts as a failure.
    var abortsMax = 8

    /// How many requests are looked at beyond those that wait for another's prompt.
    var lookahead = 8

    /// Creates settings; bounds that contradict each other are lowered until they do not.
    init(
        cells: Int, slots: Int, contextTokensMax: Int, stepTokensMax: Int, runningMax: Int
    ) {
        self.cells = cells
        self.slots = slots
        self.contextTokensMax = contextTokensMax
        self.stepTokensMax = stepTokensMax
        self.runningMax = runningMax
    }

    /// The same, such that each bound can be reached.
    var consistent: SchedulerSettings {
        var settings = self
        settings.cells = min(max(1, cells), 1 << 40)
        settings.slots = min(max(1, slots), SlotSet.capacity)
        settings.contextTokensMax = min(
            max(1, contextTokensMax), settings.cells, Int(TokenPosition.max) - 1)
        settings.stepTokensMax = min(max(1, stepTokensMax), 1 << 24)
        settings.runningMax = min(max(1, runningMax), settings.slots, settings.stepTokensMax)
        settings.prefillShare = prefillShare.isFinite ? min(max(0, prefillShare), 1) : 1
        settings.reserveCells = min(max(0, reserveCells), settings.cells)
        settings.deferralTokensMin = max(1, deferralTokensMin)
        settings.draftTokensMax = min(max(0, draftTokensMax), settings.stepTokensMax)
        settings.draftModelTokensMax = min(max(0, draftModelTokensMax), settings.stepTokensMax)
        return settings
    }

    /// Tokens that long prompts may take of a step.
    func prefillTokens(whileOthersDecode: Bool) -> Int {
        guard whileOthersDecode else { return stepTokensMax }
        return max(1, Int(Double(stepTokensMax) * prefillShare))
    }

    /// Fewest tokens that are worth sharing: a copy moves all of a slot's memory.
    var shareTokensMin: Int { sharing == .byCopy ? 16 : 1 }
}
