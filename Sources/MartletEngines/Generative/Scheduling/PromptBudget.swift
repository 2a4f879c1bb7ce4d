/// Tokens of a step that prompts may take beside the sequences that decode.
///
/// A step's length delays the next token of each sequence that decodes. So long prompts have a part of
/// it only. One that a step ends is worth more: it is let in whole while the step has room, as its
/// first token comes at once, and as there are never more of them than sequences that end.
struct PromptBudget: Sendable {
    /// Tokens of the step that nobody has.
    private(set) var room: Int
    /// Of them, those that prompts may take which do not end.
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
    ///   - room: tokens of the step that nobody has.
    ///   - decoding: sequences that decode in it.
    init(_ settings: SchedulerSettings, room: Int, besides decoding: Int) {
        let share = settings.prefillTokens(whileOthersDecode: decoding > 0)
        self.room = max(0, room)
        self.share = min(share, self.room)
        wholeMax = share * 2
        fragment = share / 4
    }

    /// Keeps half of it for a prompt that does not end in this step, or what one needs that does.
    mutating func keep(for due: Int) {
        kept = due <= wholeMax ? min(due, room) : share / 2
    }

    /// What was kept is for all.
    mutating func giveKept() { kept = 0 }

    /// No more room than that.
    mutating func bound(by room: Int) { self.room = min(self.room, max(0, room)) }

    /// How many tokens of a prompt may be planned, of so many that are due.
    func allowance(for due: Int) -> Int {
        if due <= wholeMax, due <= room - kept { return due }
        let tokens = min(due, share - kept, room - kept)
        return tokens <= fragment && tokens < due && hasAny ? 0 : max(0, tokens)
    }

    /// So many tokens were planned of a prompt of which so many were due; one that ends takes
    /// nothing of the share.
    mutating func take(_ tokens: Int, of due: Int) {
        room -= tokens
        if due > wholeMax || tokens < due { share = max(0, share - tokens) }
        hasAny = hasAny || tokens > 0
    }
}
