/// Where guesses of a sequence's next tokens come from.
enum DraftSource: Sendable, Hashable {
    /// From what the sequence said before; see ``PromptLookup``.
    case lookup
    /// From a smaller model.
    case model
}

/// A sequence whose next tokens a draft model is to guess.
struct DraftWish: Sendable {
    /// Which.
    let id: GenerationID
    /// Its tokens so far.
    let tokens: [TokenID]
    /// Most guesses.
    let limit: Int
}

/// What a draft model guesses.
struct DraftProposal: Sendable, Equatable {
    /// Of which sequence.
    let id: GenerationID
    /// How many tokens it had.
    let length: Int
    /// What may come next; empty where the draft model is not sure of anything.
    let tokens: [TokenID]
}

/// What a draft model made of several wishes.
struct DraftRound: Sendable {
    /// Its guesses.
    var proposals: [DraftProposal] = []
    /// Whether it had to read more than what was said since it was asked last, as at the beginning
    /// of a sequence: that takes longer than usual.
    var isCatchingUp = false
}
