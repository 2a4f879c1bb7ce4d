/// What is left of a prompt.
struct PromptRest: Sendable {
    /// Tokens that have no cell yet.
    let due: Int
    /// The position of the first of them.
    let start: Int
    /// Whether steps have had some of it already.
    let hasBegun: Bool
}

/// What prompts may take of a step, beside the sequences that decode.
///
/// A step's length delays the next token of each sequence that decodes. So long prompts have a part
/// of it only. One that a step ends is worth more: it is let in whole while the step has room, as its
/// first token comes at once, and as there are never more of them than sequences that end. What
/// counts is the time that tokens take (``TokenCost``), as far as it is known.
struct PromptBudget: Sendable {
    /// So many tokens are planned of the first prompt at least, however dear they are.
    private static let floor = StepCost.promptTokensMin

    /// Most tokens of the step.
    private let stepTokensMax: Int
    private let cost: TokenCost
    /// What prompts may cost which do not end.
    private(set) var share: Double
    /// Of it, what is kept for the oldest prompt.
    private(set) var kept: Double = 0
    /// Tokens of the step that are kept for it.
    private var keptTokens = 0
    /// So many it has at least, now that it is its turn, whatever the share has become.
    private var owedTokens = 0
    /// A prompt that costs so much is let in whole.
    private let wholeMax: Double
    /// The rest of a longer one that costs so much is.
    private let endMax: Double
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
        wholeMax = Double(share * 4)
        endMax = Double(share * 2)
        fragment = Double(share / 4)
        floor = min(Self.floor, share)
    }

    /// Keeps half of it for a prompt that does not end in this step, or what one needs that does.
    ///
    /// At least a few tokens, as others may take more than the rest of the share: far into a text a
    /// few cost more than all of it.
    mutating func keep(for rest: PromptRest, beside draft: StepDraft) {
        let room = room(beside: draft)
        let ends = rest.due <= room && isWhole(rest)
        kept = ends ? units(rest.due, of: rest) : max(1, (share / 2).rounded(.down))
        let tokens = max(cost.tokens(within: kept, from: rest.start), min(floor, Int(kept)))
        keptTokens = min(tokens, rest.due, room)
    }

    /// What was kept is for all, beginning with the prompt that it was kept for.
    mutating func giveKept() { (kept, keptTokens, owedTokens) = (0, 0, keptTokens) }

    /// Tokens of the step that nobody has; preempted sequences give theirs back.
    private func room(beside draft: StepDraft) -> Int { max(0, stepTokensMax - draft.tokens) }

    private func units(_ tokens: Int, of rest: PromptRest) -> Double {
        cost.units(tokens, from: rest.start)
    }

    /// Whether it is short enough to be let in whole.
    private func isWhole(_ rest: PromptRest) -> Bool {
        units(rest.due, of: rest) <= (rest.hasBegun ? endMax : wholeMax)
    }

    /// How many tokens may be planned of what is left of a prompt.
    func allowance(for rest: PromptRest, beside draft: StepDraft) -> Int {
        let room = room(beside: draft) - keptTokens
        if rest.due <= room, isWhole(rest) { return rest.due }
        let share = share - kept
        let tokens = min(rest.due, cost.tokens(within: share, from: rest.start), room)
        let least = max(owedTokens, hasAny ? 0 : min(floor, Int(share)))
        let isFragment = hasAny && tokens < rest.due && units(tokens, of: rest) <= fragment
        return max(0, min(max(isFragment ? 0 : tokens, least), rest.due, room))
    }

    /// So many tokens were planned; a prompt that ends takes nothing of the share.
    mutating func take(_ tokens: Int, of rest: PromptRest) {
        if tokens < rest.due || !isWhole(rest) { share = max(0, share - units(tokens, of: rest)) }
        hasAny = hasAny || tokens > 0
        owedTokens = 0
    }
}
