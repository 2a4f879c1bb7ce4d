/// Tokens of a step that prompts may take beside the sequences that decode.
///
/// A step's length delays the next token of each sequence that decodes. So long prompts have a part
/// of it only. One that a step ends is worth more: it is let in whole while the step has room, as its
/// first token comes at once, and as there are never more of them than sequences that end.
struct PromptBudget: Sendable {
    /// Most tokens of the step.
    private let stepTokensMax: Int
    /// Of those that nobody has, those that prompts may take which do not end.
    private(set) var share: Int
    /// Of these, those kept for the oldest prompt.
    private(set) var kept = 0
    /// A prompt of so many tokens is let in whole.
    let wholeMax: Int
    /// So few tokens of a longer one are not worth a pass over the model's weights.
    private let fragment: Int
    private var hasAny = false

    /// What a step has for prompts.
    ///
    /// - Parameters:
    ///   - settings: whose share it is.
    ///   - draft: the sequences that decode in it.
    init(_ settings: SchedulerSettings, beside draft: StepDraft) {
        let share = settings.prefillTokens(whileOthersDecode: !draft.chunks.isEmpty)
        stepTokensMax = settings.stepTokensMax
        self.share = min(share, max(0, stepTokensMax - draft.tokens))
        wholeMax = share * 2
        fragment = share / 4
    }

    /// Keeps half of it for a prompt that does not end in this step, or what one needs that does.
    mutating func keep(for due: Int, beside draft: StepDraft) {
        kept = due <= wholeMax ? min(due, room(beside: draft)) : share / 2
    }

    /// What was kept is for all.
    mutating func giveKept() { kept = 0 }

    /// Tokens of the step that nobody has; preempted sequences give theirs back.
    private func room(beside draft: StepDraft) -> Int { max(0, stepTokensMax - draft.tokens) }

    /// How many tokens of a prompt may be planned, of so many that are due.
    func allowance(for due: Int, beside draft: StepDraft) -> Int {
        let room = room(beside: draft)
        if due <= wholeMax, due <= room - kept { return due }
        let tokens = min(due, share - kept, room - kept)
        return tokens <= fragment && tokens < due && hasAny ? 0 : max(0, tokens)
    }

    /// So many tokens were planned of a prompt of which so many were due; one that ends takes
    /// nothing of the share.
    mutating func take(_ tokens: Int, of due: Int) {
        if due > wholeMax || tokens < due { share = max(0, share - tokens) }
        hasAny = hasAny || tokens > 0
    }
}
