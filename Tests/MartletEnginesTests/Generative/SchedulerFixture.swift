import MartletCore

@testable import MartletEngines

/// A scheduler, and an engine that always chooses the same token and never fails.
struct SchedulerFixture {
    static let said: TokenID = 7

    var scheduler: GenerationScheduler
    var now = Duration.zero
    var events: [SequenceEvent] = []
    /// Tokens heard by each request.
    var heard: [GenerationID: Int] = [:]

    init(
        cells: Int = 1000, slots: Int = 8, context: Int = 1000, step: Int = 64,
        _ change: (inout SchedulerSettings) -> Void = { _ in }
    ) {
        var settings = SchedulerSettings(
            cells: cells, slots: slots, contextTokensMax: context, stepTokensMax: step,
            runningMax: slots)
        settings.reserveCells = 0
        change(&settings)
        scheduler = GenerationScheduler(settings)
    }

    /// A prompt of the tokens from one on.
    static func prompt(_ tokens: Range<TokenID>) -> GenerationRequest {
        GenerationRequest(prompt: Array(tokens))
    }

    mutating func submit(
        _ tokens: Range<TokenID>, new: Int = 10, deadline: Duration? = nil,
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> GenerationID {
        var request = Self.prompt(tokens)
        request.newTokensMax = new
        change(&request)
        return try scheduler.submit(request, deadline: deadline, now: now)
    }

    /// Carries out one step.
    @discardableResult
    mutating func step(choosing token: TokenID = said) -> StepPlan {
        let plan = begin()
        finish(plan, choosing: token)
        return plan
    }

    mutating func begin() -> StepPlan {
        let plan = scheduler.nextStep(now: now)
        take(plan.events)
        return plan
    }

    mutating func finish(_ plan: StepPlan, choosing token: TokenID = said) {
        let results = plan.chunks.filter { $0.logits > 0 }.map {
            SlotResult.sampled($0.slot, Array(repeating: token, count: $0.logits))
        }
        fail(.completed(results))
    }

    /// Ends the step under way in any way.
    mutating func fail(_ outcome: StepOutcome) {
        take(scheduler.didStep(outcome, now: now))
        now += .milliseconds(10)
    }

    mutating func take(_ new: [SequenceEvent]) {
        events += new
        for event in new {
            if case .token = event.kind { heard[event.id, default: 0] += 1 }
        }
    }

    mutating func steps(_ count: Int) {
        for _ in 0..<count { step() }
    }

    /// How a request ended; `nil` if it has not.
    func reason(_ id: GenerationID) -> FinishReason? {
        for event in events where event.id == id {
            if case .finished(let reason, _) = event.kind { return reason }
        }
        return nil
    }

    func error(_ id: GenerationID) -> ServingError? {
        for event in events where event.id == id {
            if case .failed(let error, _) = event.kind { return error }
        }
        return nil
    }

    func cachedTokens(_ id: GenerationID) -> Int? {
        for event in events where event.id == id {
            if case .started(let tokens) = event.kind { return tokens }
        }
        return nil
    }
}

extension StepPlan {
    /// How many tokens of a request are in it.
    func count(_ id: GenerationID) -> Int {
        chunks.first { $0.id == id }?.tokens.count ?? 0
    }
}
