internal import MartletCore

/// Says which requests a worker of OpenVINO GenAI has, and what becomes of them.
///
/// The engine batches, shares prefixes and preempts by itself; what it lacks is here: fair queueing
/// by tenant and priority in front of it, deadlines, and one last event for each request, whatever
/// the worker does. It has no clock, no thread and no process. Times count from an origin of the
/// caller's.
struct GenAIScheduler: Sendable {
    let settings: SchedulerSettings
    private let endTokens: Set<TokenID>

    private var waiting: [GenerationID: ScheduledSequence] = [:]
    private var running: [GenerationID: ScheduledSequence] = [:]
    private var queue = GenerationQueue()
    private var tenants = TenantCounters()
    private var pace = CompletionPace()
    private var prefixes: GenAIPrefixes?
    private var counters = GenerationCounters()
    private var cacheUsage: Double = 0
    private var waitingTokens = 0
    private var nextNumber: UInt64 = 0

    /// For the worker, in order.
    private var commands: [GenAICommand] = []
    /// For requests, in order.
    private var events: [GenAIEvent] = []

    /// A scheduler of a worker that has nothing.
    init(_ settings: SchedulerSettings) {
        self.settings = settings.consistent
        endTokens = Set(settings.endTokens)
        didStart()
    }

    /// What it is busy with.
    var load: GenerationLoad {
        var load = GenerationLoad()
        load.waiting = waiting.count
        load.waitingTokens = waitingTokens
        load.running = running.count
        load.prefilling = running.values.count { $0.generated == 0 }
        load.cellsTotal = settings.cells
        load.cellsNeeded = min(neededCells, settings.cells)
        load.cellsUsed = max(load.cellsNeeded, Int(cacheUsage * Double(settings.cells)))
        load.slotsUsed = running.count
        load.counters = counters
        return load
    }

    /// Whether there is something for a worker to do.
    var isWaiting: Bool { !waiting.isEmpty }

    /// Whether the worker has something to do.
    var isRunning: Bool { !running.isEmpty }

    /// When the next request's time is over; `nil` for none.
    var nextDeadline: Duration? {
        let deadlines = [waiting, running].compactMap { $0.values.compactMap(\.deadline).min() }
        return deadlines.min()
    }

    private var neededCells: Int { running.values.reduce(0) { $0 + $1.tokens.count } }

    // MARK: Requests

    /// Takes a request, or refuses it.
    ///
    /// - Throws: ``GenerationRefusal``.
    mutating func submit(
        _ request: GenerationRequest, deadline: Duration?, now: Duration
    ) throws(GenerationRefusal) -> GenerationID {
        try settings.check(request, deadline: deadline, now: now)
        guard request.cacheScope == nil || settings.sharing == .none else {
            throw GenerationRefusal(GenAITask.unsupported("'cache_salt' while prompts are shared"))
        }
        guard settings.hasRoom(for: request, behind: waiting.count, tokens: waitingTokens) else {
            counters.refused += 1
            throw settings.full(
                waiting.count, tokens: waitingTokens,
                retryAfter: pace.retryAfter(waiting: waiting.count))
        }
        nextNumber += 1
        let id = GenerationID(number: nextNumber)
        let terms = SequenceTerms(
            request, deadline: deadline, contextTokensMax: settings.contextTokensMax, group: 0)
        waiting[id] = ScheduledSequence(
            id: id, terms: terms, tokens: request.prompt, draftTokens: 0)
        waitingTokens += request.prompt.count
        queue.append(id, tenant: request.tenant, priority: request.priority)
        tenants.didArrive(request.tenant)
        counters.submitted += 1
        return id
    }

    /// Ends a request, unless it has ended.
    mutating func cancel(_ id: GenerationID, reason: FinishReason, now: Duration) {
        end(id, .finished(reason), now: now)
    }

    /// Ends those whose deadline has passed.
    mutating func expire(now: Duration) {
        for sequences in [waiting, running] {
            let late = sequences.values.filter { $0.deadline.map { $0 <= now } ?? false }
            for id in late.map(\.id).sorted() { end(id, .finished(.deadline), now: now) }
        }
    }

    /// Gives the worker as many requests as it may have.
    mutating func admit() {
        while running.count < settings.runningMax, let id = queue.next(tenants),
            let candidate = waiting[id],
            running.isEmpty || neededCells + candidate.tokens.count <= settings.cells
        {
            guard var sequence = leaveQueue(id) else { return }
            let cached = prefixes?.length(of: sequence.tokens) ?? 0
            sequence.cachedTokens = cached
            tenants.didBegin(sequence.request.tenant)
            tenants.charge(
                sequence.request.tenant,
                settings.promptTokenCost * Double(sequence.promptTokens - cached))
            counters.promptTokens += sequence.promptTokens
            counters.prefixHitTokens += cached
            commands.append(
                .submit(GenAISubmission(sequence, endTokens: settings.endTokens)))
            events.append(GenAIEvent(id: id, kind: .started(cachedTokens: cached)))
            running[id] = sequence
        }
    }

    /// What the worker is to be told.
    mutating func takeCommands() -> [GenAICommand] {
        defer { commands.removeAll() }
        return commands
    }

    /// What requests are to be told.
    mutating func takeEvents() -> [GenAIEvent] {
        defer { events.removeAll() }
        return events
    }

    // MARK: The worker

    /// A worker is there that has nothing.
    mutating func didStart() {
        prefixes = settings.sharing == .none ? nil : GenAIPrefixes(cells: settings.cells)
        cacheUsage = 0
    }

    /// The worker has done a step; what it says of requests that have ended is of no interest.
    mutating func take(_ results: [GenAIResult], cacheUsage: Double, now: Duration) {
        counters.steps += 1
        self.cacheUsage = cacheUsage.isFinite ? min(max(0, cacheUsage), 1) : 0
        for result in results { take(result, now: now) }
    }

    /// The worker does not take a request.
    mutating func refuse(_ id: GenerationID, _ reason: String, now: Duration) {
        let error = ServingError.invalidArgument("OpenVINO GenAI refuses the request: \(reason)")
        end(id, .failed(error), tellsWorker: false, now: now)
    }

    /// The worker has let go of a request that it could not go on with.
    mutating func fail(_ id: GenerationID, _ reason: String, now: Duration) {
        let error = ServingError(.internal, "OpenVINO GenAI failed the request: \(reason)")
        end(id, .failed(error), tellsWorker: false, now: now)
    }

    /// The worker is gone.
    ///
    /// What it had ends by an error, and of what waits such as another engine takes. The others
    /// wait on.
    mutating func didLoseWorker(_ error: ServingError, now: Duration) {
        counters.failedSteps += 1
        cacheUsage = 0
        let movable = waiting.filter { $0.value.request.hasOtherEngine }.keys
        for id in (Array(running.keys) + Array(movable)).sorted() {
            end(id, .failed(error), tellsWorker: false, now: now)
        }
        commands.removeAll()
    }

    /// Ends what waits by an error, as there is no worker soon.
    mutating func turnAway(_ error: ServingError, now: Duration) {
        for id in waiting.keys.sorted() { end(id, .failed(error), now: now) }
    }

    /// Ends all requests as cancelled.
    mutating func cancelAll(now: Duration) {
        for id in allIDs { end(id, .finished(.cancelled), now: now) }
    }

    private var allIDs: [GenerationID] { (Array(waiting.keys) + Array(running.keys)).sorted() }
}

// MARK: Inside

extension GenAIScheduler {
    private enum Ending {
        case finished(FinishReason)
        case failed(ServingError)
    }

    private mutating func leaveQueue(_ id: GenerationID) -> ScheduledSequence? {
        guard let sequence = waiting.removeValue(forKey: id) else { return nil }
        let request = sequence.request
        waitingTokens -= sequence.tokens.count
        queue.remove(id, tenant: request.tenant, priority: request.priority)
        return sequence
    }

    private mutating func take(_ result: GenAIResult, now: Duration) {
        guard running[result.id] != nil else { return }
        for (index, token) in result.tokens.enumerated() {
            guard settings.hasToken(token) else {
                failUnknown(token, of: result, now: now)
                return
            }
            let logprob = index < result.logprobs.count ? result.logprobs[index] : nil
            guard let reason = append(token, logprob: logprob, to: result.id) else { continue }
            let isLast = index == result.tokens.count - 1 && result.end != nil
            end(result.id, .finished(reason), tellsWorker: !isLast, now: now)
            return
        }
        switch result.end {
        case .none: break
        case .stop: end(result.id, .finished(.stop), tellsWorker: false, now: now)
        case .length: end(result.id, .finished(.length), tellsWorker: false, now: now)
        case .full:
            let error = ServingError(
                .resourceExhausted, "The engine's KV memory has no room for the sequence")
            end(result.id, .failed(error), tellsWorker: false, now: now)
        }
    }

    /// Ends a sequence by an error, as nobody knows the text of one of its tokens.
    private mutating func failUnknown(_ token: TokenID, of result: GenAIResult, now: Duration) {
        let error = ServingError(
            .internal,
            "OpenVINO GenAI made token \(token); the model's are 0 to "
                + "\(settings.vocabularySize - 1)")
        end(result.id, .failed(error), tellsWorker: result.end == nil, now: now)
    }

    /// Adds a token to a sequence.
    ///
    /// - Returns: why it ends with it, if it does.
    private mutating func append(
        _ token: TokenID, logprob: Float?, to id: GenerationID
    ) -> FinishReason? {
        guard var sequence = running.removeValue(forKey: id) else { return nil }
        defer { running[id] = sequence }
        counters.decodedTokens += sequence.generated == 0 ? sequence.promptTokens : 1
        if sequence.generated == 0 { prefixes?.insert(sequence.tokens) }
        let request = sequence.request
        if !request.ignoresEndTokens && endTokens.contains(token)
            || request.stopTokens.contains(token)
        {
            return .stop
        }
        sequence.tokens.append(token)
        counters.generatedTokens += 1
        tenants.charge(request.tenant, settings.generatedTokenCost)
        events.append(GenAIEvent(id: id, kind: .token(token, logprob: logprob)))
        return sequence.generated >= sequence.newTokensMax ? .length : nil
    }

    private mutating func end(
        _ id: GenerationID, _ ending: Ending, tellsWorker: Bool = true, now: Duration
    ) {
        if let sequence = running.removeValue(forKey: id) {
            tenants.didEnd(sequence.request.tenant)
            if sequence.generated > 0 { prefixes?.insert(Array(sequence.tokens.dropLast())) }
            if tellsWorker { commands.append(.cancel(id)) }
            tell(ending, sequence)
        } else if let sequence = leaveQueue(id) {
            tenants.didLeave(sequence.request.tenant)
            tell(ending, sequence)
        } else {
            return
        }
        pace.didEnd(now: now)
        if waiting.isEmpty, running.isEmpty { pace.didRest() }
    }

    private mutating func tell(_ ending: Ending, _ sequence: ScheduledSequence) {
        let kind: GenAIEvent.Kind
        switch ending {
        case .finished(let reason):
            counters.count(reason)
            kind = .finished(reason, sequence.usage)
        case .failed(let error):
            counters.failed += 1
            kind = .failed(error, sequence.usage)
        }
        events.append(GenAIEvent(id: sequence.id, kind: kind))
    }
}
