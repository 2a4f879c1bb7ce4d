internal import MartletCore

/// Decides each step of a language model's decode loop: who runs, what is decoded, whose cells are
/// shared, and who gives way.
///
/// Continuous batching with chunked prefill: sequences join and leave at every step. Each sequence
/// that decodes gets its one token first; what is left of a step goes to prompts, bounded so that a
/// long prompt never stalls the others' tokens (Yu et al., "Orca", OSDI 2022; Agrawal et al.,
/// "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI 2024). Prefixes
/// are shared by a ``PrefixTree``. When cells run out, cached sequences go first; then the running
/// sequence of least standing is preempted, and computed again later. Tenants share by
/// ``TenantCounters``.
///
/// What holds at all times:
/// 1. each request that was taken gets exactly one last event;
/// 2. a step never has more tokens than allowed, nor the engine more cells;
/// 3. the running sequence of highest standing (priority, then age) is never preempted, so that
///    every request of the highest priority ends some day;
/// 4. at least the last token of a prompt is decoded anew, since its logits are needed;
/// 5. after a step that failed, every slot is cut back to what it was before; where an operation
///    failed, all slots are forgotten.
///
/// It has no clock, no thread and no engine: a loop calls ``nextStep(now:)``, does it, and calls
/// ``didStep(_:now:)``. In between requests may come and go. Times count from an origin of the
/// caller's.
struct GenerationScheduler: Sendable {
    let settings: SchedulerSettings

    var tree = PrefixTree()
    /// Those that run, by slot.
    var sequences: [ScheduledSequence?]
    var running = SlotSet()
    var slotsByID: [GenerationID: SlotID] = [:]
    var freeSlots: [SlotID]
    /// Cells that running sequences have for themselves, with those of the step under way.
    var ownCells = 0

    var waiting: [GenerationID: ScheduledSequence] = [:]
    var groups: [AdapterGroup] = []
    var tenants = TenantCounters()
    /// No request that waits has an earlier deadline.
    var earliestDeadline: Duration?

    /// For the engine, before its next decode.
    var operations: [KVOperation] = []
    /// For requests, with the next answer.
    var events: [SequenceEvent] = []
    /// The step under way.
    var stepUnderWay: [PlannedChunk]?
    /// When it was planned.
    var stepBegan = Duration.zero
    /// What prompts' tokens cost.
    var stepCost: StepCost

    /// After a step of several failed: those of them that have not been tried alone.
    var suspects: [GenerationID] = []
    /// The engine had no room though there should be: nobody is let in until somebody has left.
    var holdsBack = false
    var abortsInARow = 0
    /// How often the KV memory was lost since the last step that was done.
    var lossesInARow = 0

    /// Whether a draft model is of use.
    var draftGate = DraftGate()
    /// When the last step ended; `nil` if nothing ran since.
    var lastStepEnd: Duration?
    /// The next step takes longer for a reason that soon is gone.
    var isPaceUnusual = false

    var counters = GenerationCounters()
    var waitingTokens = 0
    private var pace = CompletionPace()
    private var nextNumber: UInt64 = 0
    private var nextGroup = 0

    /// A scheduler of an engine whose KV memory is empty.
    init(_ settings: SchedulerSettings) {
        self.settings = settings.consistent
        stepCost = StepCost(expected: self.settings.expectedCost)
        let slots = self.settings.slots
        sequences = Array(repeating: nil, count: slots)
        freeSlots = (0..<SlotID(slots)).reversed()
    }

    /// What it is busy with.
    var load: GenerationLoad {
        var load = GenerationLoad()
        load.waiting = waiting.count
        load.waitingTokens = waitingTokens
        for slot in running {
            guard let sequence = sequences[Int(slot)], !sequence.isEnded else { continue }
            load.running += 1
            if !sequence.isDecoding { load.prefilling += 1 }
        }
        load.cellsUsed = tree.cells + ownCells
        load.cellsNeeded = tree.neededCells + ownCells
        load.cellsTotal = settings.cells
        load.slotsUsed = settings.slots - freeSlots.count
        load.counters = counters
        return load
    }

    // MARK: Requests

    /// Takes a request, or refuses it.
    ///
    /// - Parameters:
    ///   - request: what is asked for; its own deadline is not looked at. Its adapter must be one
    ///     that the engine has.
    ///   - deadline: when its client stops waiting.
    ///   - now: the time.
    /// - Returns: its name.
    /// - Throws: ``GenerationRefusal``.
    mutating func submit(
        _ request: GenerationRequest, deadline: Duration? = nil, now: Duration
    ) throws(GenerationRefusal) -> GenerationID {
        try settings.check(request, deadline: deadline, now: now)
        guard settings.hasRoom(for: request, behind: waiting.count, tokens: waitingTokens) else {
            counters.refused += 1
            throw settings.full(
                waiting.count, tokens: waitingTokens,
                retryAfter: pace.retryAfter(waiting: waiting.count))
        }
        return enqueue(request, deadline: deadline)
    }

    /// Ends a request whose client no longer wants it, or whose text has come to its end.
    ///
    /// - Returns: its last event; `nil` if it had that already.
    mutating func cancel(
        _ id: GenerationID, reason: FinishReason = .cancelled, now: Duration
    ) -> SequenceEvent? {
        guard end(id, .finished(reason), now: now) else { return nil }
        return events.popLast()
    }

    /// Ends all requests, as when the model is unloaded.
    ///
    /// - Returns: their last events.
    mutating func cancelAll(now: Duration) -> [SequenceEvent] {
        for id in (Array(waiting.keys) + Array(slotsByID.keys)).sorted() {
            _ = end(id, .finished(.cancelled), now: now)
        }
        return takeEvents()
    }

    // MARK: Inside

    private mutating func enqueue(
        _ request: GenerationRequest, deadline: Duration?
    ) -> GenerationID {
        nextNumber += 1
        let terms = SequenceTerms(
            request, deadline: deadline, contextTokensMax: settings.contextTokensMax,
            group: group(of: request.adapter))
        var sequence = ScheduledSequence(
            id: GenerationID(number: nextNumber), terms: terms, tokens: request.prompt,
            draftTokens: settings.draftTokensMax)
        sequence.modelDraftTokens = settings.draftModelTokensMax
        tenants.didArrive(request.tenant)
        counters.submitted += 1
        wait(sequence, isFirst: false)
        return sequence.id
    }

    /// Puts a sequence in the queue.
    mutating func wait(_ sequence: ScheduledSequence, isFirst: Bool) {
        let (id, request) = (sequence.id, sequence.request)
        if let deadline = sequence.deadline {
            earliestDeadline = min(earliestDeadline ?? deadline, deadline)
        }
        waitingTokens += sequence.tokens.count
        waiting[id] = sequence
        updateQueue(of: sequence.group) { queue in
            if isFirst {
                queue.prepend(id, tenant: request.tenant, priority: request.priority)
            } else {
                queue.append(id, tenant: request.tenant, priority: request.priority)
            }
        }
    }

    /// Takes a sequence out of the queue.
    mutating func leaveQueue(_ id: GenerationID) -> ScheduledSequence? {
        guard let sequence = waiting.removeValue(forKey: id) else { return nil }
        waitingTokens -= sequence.tokens.count
        let request = sequence.request
        updateQueue(of: sequence.group) { queue in
            queue.remove(id, tenant: request.tenant, priority: request.priority)
        }
        if waiting.isEmpty { earliestDeadline = nil }
        return sequence
    }

    private mutating func updateQueue(
        of group: Int, _ change: (inout GenerationQueue) -> Void
    ) {
        guard let index = groups.firstIndex(where: { $0.id == group }) else { return }
        change(&groups[index].queue)
    }

    private mutating func group(of adapter: String?) -> Int {
        if let group = groups.first(where: { $0.adapter == adapter }) { return group.id }
        nextGroup += 1
        groups.append(
            AdapterGroup(
                id: nextGroup, adapter: adapter, lastStep: counters.steps + counters.failedSteps))
        return nextGroup
    }

    mutating func takeEvents() -> [SequenceEvent] {
        defer { events.removeAll() }
        return events
    }

    mutating func didEnd(now: Duration) {
        pace.didEnd(now: now)
        if waiting.isEmpty, running.isEmpty { pace.didRest() }
    }
}
