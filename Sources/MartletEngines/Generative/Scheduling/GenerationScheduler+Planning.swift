/// Tokens of a running sequence that a step is to decode.
struct PlannedChunk: Sendable {
    let id: GenerationID
    let slot: SlotID
    /// How many of its tokens that are due.
    let count: Int
    /// Guesses that follow them.
    var drafts: [TokenID] = []
    /// Where these come from.
    var source = DraftSource.lookup
    /// Whether the sequence's last token is among them, and its logits are wanted.
    let isLast: Bool

    var tokens: Int { count + drafts.count }
}

/// A step that is being put together.
struct StepDraft: Sendable {
    private(set) var chunks: [PlannedChunk] = []
    /// Tokens of all chunks: as many cells are needed.
    private(set) var tokens = 0

    mutating func append(_ chunk: PlannedChunk) {
        chunks.append(chunk)
        tokens += chunk.tokens
    }

    /// The sequence in a slot does not run any more.
    mutating func remove(_ slot: SlotID) {
        guard let index = chunks.firstIndex(where: { $0.slot == slot }) else { return }
        tokens -= chunks[index].tokens
        chunks.remove(at: index)
    }

    mutating func add(drafts: [TokenID], from source: DraftSource, to index: Int) {
        chunks[index].drafts = drafts
        chunks[index].source = source
        tokens += drafts.count
    }
}

extension GenerationScheduler {
    /// What to do next.
    ///
    /// If it has no chunks nothing runs and nothing waits: do its operations, and call again when a
    /// request has come. While a step is under way there is nothing else to do.
    ///
    /// - Parameter now: the time.
    /// - Returns: the next step, and what is to be told to requests.
    mutating func nextStep(now: Duration) -> StepPlan {
        guard stepUnderWay == nil else { return StepPlan() }
        expire(now: now)
        let (draft, adapter) = draftStep()
        stepBegan = now
        var plan = StepPlan()
        plan.adapter = adapter
        emit(draft, to: &plan)
        swap(&plan.operations, &operations)
        plan.events = takeEvents()
        return plan
    }

    // MARK: Whose turn it is

    /// The group that had no step for the longest time and has something to do.
    ///
    /// One whose requests found no room keeps its turn, and so is first when there is some.
    private mutating func draftStep() -> (StepDraft, adapter: String?) {
        if let slot = nextSuspect(), let sequence = sequences[Int(slot)] {
            var draft = StepDraft()
            plan(slot, budget: settings.stepTokensMax, in: &draft)
            if !draft.chunks.isEmpty {
                return (draft, groups.first { $0.id == sequence.group }?.adapter)
            }
            suspects.removeAll { $0 == sequence.id }
        }
        if groups.count > 1 {
            groups.removeAll { $0.running == 0 && $0.queue.count == 0 }
            groups.sort { ($0.lastStep, $0.id) < ($1.lastStep, $1.id) }
        }
        for index in groups.indices {
            let draft = draftStep(of: index)
            guard !draft.chunks.isEmpty else { continue }
            groups[index].lastStep = counters.steps + counters.failedSteps + 1
            return (draft, groups[index].adapter)
        }
        return (StepDraft(), nil)
    }

    private mutating func draftStep(of index: Int) -> StepDraft {
        var draft = StepDraft()
        let group = groups[index].id
        var prompts: [SlotID] = []
        for slot in running {
            // Those before it may have preempted it.
            guard let sequence = sequences[Int(slot)], sequence.group == group else { continue }
            if sequence.isDecoding {
                plan(slot, budget: 1, in: &draft)
            } else {
                prompts.append(slot)
            }
        }
        prefill(prompts, from: index, budget(beside: draft), in: &draft)
        if settings.guesses { guess(in: &draft) }
        return draft
    }

    /// Plans prompts, those that have begun and those that wait.
    ///
    /// The oldest gets half of the budget at least, so that it ends some day. Besides it, shorter
    /// ones are first, as the least time is waited then; longer ones that have begun are last.
    private mutating func prefill(
        _ prompts: [SlotID], from index: Int, _ budget: PromptBudget, in draft: inout StepDraft
    ) {
        var budget = budget
        let begun = prompts.compactMap { sequences[Int($0)] }.sorted {
            ($0.standing.priority, $0.due, $0.id) < ($1.standing.priority, $1.due, $1.id)
        }
        let oldest = begun.min { $0.standing < $1.standing }
        let place = begun.firstIndex { $0.id == oldest?.id } ?? 0
        if let oldest { budget.keep(for: oldest.rest, beside: draft) }
        for sequence in begun[..<place] { prefill(sequence, &budget, in: &draft) }
        if groups[index].queue.count > 0 { admit(from: index, &budget, in: &draft) }
        budget.giveKept()
        for sequence in begun[place...] { prefill(sequence, &budget, in: &draft) }
    }

    /// Plans a prompt that has begun, unless one before it has preempted it.
    mutating func prefill(
        _ sequence: ScheduledSequence, _ budget: inout PromptBudget, in draft: inout StepDraft
    ) {
        guard let slot = slotsByID[sequence.id] else { return }
        let tokens = budget.allowance(for: sequence.rest, beside: draft)
        budget.take(plan(slot, budget: tokens, in: &draft), of: sequence.rest)
    }

    /// Plans as many of a sequence's tokens as there are budget and cells for.
    ///
    /// - Returns: how many.
    @discardableResult
    mutating func plan(_ slot: SlotID, budget: Int, in draft: inout StepDraft) -> Int {
        guard let sequence = sequences[Int(slot)], !sequence.isEnded, budget > 0,
            makeRoom(for: sequence.standing, in: &draft)
        else { return 0 }
        let count = min(sequence.due, budget, evict(untilFree: min(sequence.due, budget), draft))
        draft.append(
            PlannedChunk(
                id: sequence.id, slot: slot, count: count, isLast: count == sequence.due))
        return count
    }

    private mutating func nextSuspect() -> SlotID? {
        while let id = suspects.first {
            if let slot = slotsByID[id] { return slot }
            suspects.removeFirst()
        }
        return nil
    }

    // MARK: The plan

    private mutating func emit(_ draft: StepDraft, to plan: inout StepPlan) {
        guard !draft.chunks.isEmpty else { return }
        plan.tokens.reserveCapacity(draft.tokens)
        plan.chunks.reserveCapacity(draft.chunks.count)
        for chunk in draft.chunks {
            guard let sequence = sequences[Int(chunk.slot)] else { continue }
            let first = plan.tokens.count
            let end = sequence.computed + chunk.count
            plan.tokens.append(contentsOf: sequence.tokens[sequence.computed..<end])
            plan.tokens.append(contentsOf: chunk.drafts)
            plan.chunks.append(
                StepChunk(
                    id: chunk.id, slot: chunk.slot, tokens: first..<plan.tokens.count,
                    start: TokenPosition(clamping: sequence.computed), drafts: chunk.drafts.count,
                    logits: chunk.isLast ? chunk.drafts.count + 1 : 0))
        }
        ownCells += draft.tokens
        stepUnderWay = draft.chunks
    }
}
