internal import MartletCore

/// What is to be done to an engine's KV memory, in llama.cpp's terms.
enum KVOperation: Sendable, Equatable {
    /// A slot takes part in the cells of another at these positions (`llama_memory_seq_cp`).
    ///
    /// It has none at these positions. Where memory is split they begin at 0: copy the whole
    /// sequence, and remove what follows.
    case share(from: SlotID, to: SlotID, positions: Range<TokenPosition>)
    /// A slot lets go of its cells at these positions (`llama_memory_seq_rm`); the bound
    /// ``TokenPosition/max`` stands for the end.
    case remove(SlotID, positions: Range<TokenPosition>)

    /// A slot lets go of all from a position on.
    static func cut(_ slot: SlotID, from position: Int) -> KVOperation {
        .remove(slot, positions: TokenPosition(clamping: position)..<TokenPosition.max)
    }

    /// A slot lets go of everything.
    static func clear(_ slot: SlotID) -> KVOperation { cut(slot, from: 0) }
}

/// Tokens of one sequence in a step, at successive positions.
struct StepChunk: Sendable, Equatable {
    /// Whose they are.
    let id: GenerationID
    /// Where the sequence is.
    let slot: SlotID
    /// Which of ``StepPlan/tokens`` they are.
    let tokens: Range<Int>
    /// The position of the first.
    let start: TokenPosition
    /// How many of the last tokens are guesses.
    let drafts: Int
    /// For how many of the last tokens logits are wanted: 0 within a prompt, else one more than
    /// there are guesses.
    let logits: Int
}

/// One step of the decode loop.
///
/// First the operations are done, in order; then, if there are chunks, one decode; then
/// ``GenerationScheduler/didStep(_:now:)`` is told.
struct StepPlan: Sendable {
    /// What to do to the KV memory first.
    var operations: [KVOperation] = []
    /// The adapter that is to be applied; `nil` for none.
    var adapter: String?
    /// The tokens of all chunks.
    var tokens: [TokenID] = []
    /// What to decode; empty if nothing runs or waits.
    var chunks: [StepChunk] = []
    /// What is to be told to requests.
    var events: [SequenceEvent] = []
}

/// What became of the sampling of a sequence.
enum SlotResult: Sendable {
    /// The tokens chosen at the positions with logits, in order.
    ///
    /// With guesses, choose at one position after the other, and stop at the first token that is
    /// not the guess: what follows a wrong guess means nothing, and would only confuse a sampler
    /// that remembers.
    case sampled(SlotID, [TokenID])
    /// No token could be chosen; ends this request alone.
    case failed(SlotID, ServingError)
}

/// How a step went.
enum StepOutcome: Sendable {
    /// The engine decoded all; what was chosen for each chunk that wanted logits.
    case completed([SlotResult])
    /// The KV memory had no room (`llama_decode` returned 1).
    case outOfCells
    /// The engine was told to stop (`llama_decode` returned 2).
    case aborted
    /// The engine could not do it.
    case failed(ServingError)
    /// An operation failed, so that nobody knows what the KV memory holds; it was cleared.
    case memoryLost(ServingError)

    /// Whether the KV memory holds nothing any more.
    var losesMemory: Bool {
        if case .memoryLost = self { true } else { false }
    }
}

/// What happens to a request, as far as the scheduler knows of it.
struct SequenceEvent: Sendable {
    /// What happens.
    enum Kind: Sendable {
        /// It left the queue for the first time.
        case started(cachedTokens: Int)
        /// The next token.
        case token(TokenID)
        /// It is done; the last event.
        case finished(FinishReason, GenerationUsage)
        /// It could not be done; the last event.
        case failed(ServingError, GenerationUsage)
    }

    /// To which.
    let id: GenerationID
    /// What.
    let kind: Kind

    /// Whether nothing comes after it.
    var isLast: Bool {
        switch kind {
        case .started, .token: false
        case .finished, .failed: true
        }
    }
}
