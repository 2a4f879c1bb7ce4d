/// What does not change about a request.
///
/// A class, so that sequences are cheap to move: there are many in each step.
final class SequenceTerms: Sendable {
    /// What was asked for; its prompt has moved to ``ScheduledSequence/tokens``.
    let request: GenerationRequest
    let scope: PrefixScope
    /// When its client stops waiting.
    let deadline: Duration?
    let promptTokens: Int
    let newTokensMax: Int
    /// The ``AdapterGroup``.
    let group: Int

    init(
        _ request: GenerationRequest, deadline: Duration?, contextTokensMax: Int, group: Int
    ) {
        var kept = request
        kept.prompt = []
        self.request = kept
        scope = PrefixScope(
            adapter: request.adapter,
            audience: request.cacheScope.map { "scope " + $0 } ?? "tenant " + request.tenant)
        self.deadline = deadline
        promptTokens = request.prompt.count
        // The last token is told, and never decoded.
        let room = contextTokensMax - request.prompt.count + 1
        newTokensMax = min(request.newTokensMax ?? room, room)
        self.group = group
    }
}

/// A request that waits or runs.
struct ScheduledSequence: Sendable {
    let id: GenerationID
    let terms: SequenceTerms

    /// The prompt and what was generated.
    var tokens: [TokenID]
    /// Where it runs; -1 while it waits.
    var slot: SlotID = -1
    /// How many of ``tokens`` have a cell in the slot.
    var computed = 0
    /// How many of these it was given when it was let in.
    var matched = 0
    /// How many of these the prefix tree knows of.
    var shared = 0
    /// Most that were ever computed: less than that is computed again.
    var computedMax = 0
    /// Tokens of the prompt that were in the prefix cache; `nil` until it has started.
    var cachedTokens: Int?
    /// Guesses that seem worth making from what was said before.
    var draftTokens: Int
    /// Guesses that seem worth making by a draft model.
    var modelDraftTokens = 0
    /// What a draft model guessed last.
    var proposal: DraftProposal?
    /// Whether its last event was told, while a step that it takes part in is under way.
    var isEnded = false

    var request: GenerationRequest { terms.request }
    var scope: PrefixScope { terms.scope }
    var deadline: Duration? { terms.deadline }
    var promptTokens: Int { terms.promptTokens }
    var newTokensMax: Int { terms.newTokensMax }
    var group: Int { terms.group }

    /// Tokens generated.
    var generated: Int { tokens.count - promptTokens }

    /// Tokens that have no cell yet; one in a sequence that decodes.
    var due: Int { tokens.count - computed }

    /// What is left of its prompt.
    var rest: PromptRest { PromptRest(due: due, start: computed, hasBegun: computed > matched) }

    /// Whether the next step gives it a token, and needs but one to be decoded.
    var isDecoding: Bool { due == 1 }

    /// Cells that it has for itself.
    var ownCells: Int { computed - shared }

    var standing: Standing { Standing(priority: terms.request.priority, id: id) }

    var usage: GenerationUsage {
        GenerationUsage(
            promptTokens: promptTokens, cachedTokens: cachedTokens ?? 0,
            generatedTokens: generated)
    }
}

/// Who gives way when cells are short: the lower priority, then the later arrival.
struct Standing: Sendable, Comparable {
    let priority: GenerationPriority
    let id: GenerationID

    static func < (left: Standing, right: Standing) -> Bool {
        (left.priority, left.id) < (right.priority, right.id)
    }
}

/// Sequences with the same adapter, which may share a step.
struct AdapterGroup: Sendable {
    let id: Int
    let adapter: String?
    var queue = GenerationQueue()
    /// Sequences that run.
    var running = 0
    /// When it had a step last, counted in steps.
    var lastStep: Int
}
