/// What prompts may take of a step, beside the sequences that decode.
///
/// A step's length delays the next token of each sequence that decodes. So long prompts have a part
/// of it only. One that a step ends is worth more: it is let in whole while the step has room, as its
/// first token comes at once, and as there are never more of them than sequences that end. What
/// counts is the time that tokens take (``TokenCost``), as far as it is known.
struct PromptBudget: Sendable {
    /// So many tokens are planned of the first prompt at least, however dear they are.
    private static let floor = 8

    /// Most tokens of the step.
    private let stepTokensMax: Int
    private let cost: TokenCost
    /// What prompts may cost which do not end.
    private(set) var share: Double
    /// Of it, what is kept for the oldest prompt.
    private(set) var kept: Double = 0
    /// Tokens of the step that are kept for it.
    private var keptTokens = 0
    /// A prompt that costs so much is let in whole.
    let wholeMax: Double
    /// So little of a longer one is not worth a pass over the model's weights.
    private let fragment: Double
    private let floor: Int
    private var hasAny = false

    /// What a step has for prompts.
    ///
    /// - Parameters:
    ///   - settings: whose share it is.
    ///   - cost: what their tokens cost.
    ///   - draft: the sequences that decode in it.
    init(_ settings: SchedulerSettings, cost: TokenCost = TokenCost(), beside draft: StepDraft) {
        let share = settings.prefillTokens(whileOthersDecode: !draft.chunks.isEmpty)
        stepTokensMax = settings.stepTokensMax
        self.cost = cost
        self.share = Double(min(share, max(0, stepTokensMax - draft.tokens)))
        wholeMax = Double(share * 2)
        fragment = Double(share / 4)
        floor = min(Self.floor, share)
    }

    /// Keeps half of it for a prompt that does not end in this step, or what one needs that does.
    ///
    /// - Parameters:
    ///   - due: its tokens that have no cell yet.
    ///   - start: the position of the first of them.
    ///   - draft: what the step has already.
    mutating func keep(for due: Int, at start: Int, beside draft: StepDraft) {
        let whole = cost.units(due, from: start)
        kept = whole <= wholeMax ? whole : (share / 2).rounded(.down)
        keptTokens = min(cost.tokens(within: kept, from: start), due, room(beside: draft))
    }

    /// What was kept is for all.
    mutating func giveKept() { (kept, keptTokens) = (0, 0) }

    /// Tokens of the step that nobody has; preempted sequences give theirs back.
    private func room(beside draft: StepDraft) -> Int { max(0, stepTokensMax - draft.tokens) }

    /// How many tokens of a prompt may be planned, of so many that are due.
    func allowance(for due: Int, at start: Int, beside draft: StepDraft) -> Int {
        let room = room(beside: draft) - keptTokens
        if due <= room, cost.units(due, from: start) <= wholeMax { return due }
        let tokens = min(due, cost.tokens(within: share - kept, from: start), room)
        guard hasAny else { return max(0, min(max(tokens, floor), due, room)) }
        return cost.units(tokens, from: start) <= fragment && tokens < due ? 0 : max(0, tokens)
    }

    /// So many tokens were planned of a prompt of which so many were due; one that ends takes
    /// nothing of the share.
    mutating func take(_ tokens: Int, of due: Int, at start: Int) {
        let units = cost.units(tokens, from: start)
        if units > wholeMax || tokens < due { share = max(0, share - units) }
        hasAny = hasAny || tokens > 0
    }
}
