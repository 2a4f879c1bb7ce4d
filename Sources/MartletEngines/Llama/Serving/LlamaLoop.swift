internal import Dispatch
import MartletCore
internal import Synchronization

/// The decode loop of one model: a thread of its own that does what the scheduler says.
///
/// Requests come and go by any thread; events are told by the loop's thread alone, in the order in
/// which they happened.
final class LlamaLoop: Sendable {
    private struct State {
        var scheduler: GenerationScheduler
        /// Requests that the thread does not know of yet.
        var arrivals: [(GenerationID, LlamaTask)] = []
        /// Ends that came by other threads.
        var endings: [SequenceEvent] = []
        /// Whether the thread waits to be woken.
        var isIdle = false
        var watch = StepWatch()
        var isClosed = false
    }

    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchGroup()
    private let adapters: Set<String>
    private let contextTokens: Int
    private let origin = ContinuousClock.now

    /// Begins to wait for requests.
    ///
    /// - Parameters:
    ///   - context: used by the loop alone from now on.
    ///   - drafter: guesses tokens; likewise.
    ///   - adapters: LoRA adapters by name.
    ///   - settings: bounds of the scheduler.
    ///   - threads: that may compute.
    ///   - name: the thread's name in debuggers and profiles.
    /// - Throws: `ServingError` if the model cannot decode a token.
    init(
        context: LlamaContext, drafter: LlamaDrafter? = nil, adapters: [String: LlamaAdapter],
        settings: SchedulerSettings, threads: Int, name: String
    ) throws {
        state = Mutex(State(scheduler: GenerationScheduler(settings)))
        self.adapters = Set(adapters.keys)
        contextTokens = settings.contextTokensMax
        ended.enter()
        let stepper = LlamaStepper(context: context, adapters: adapters)
        let trial = Mutex<Result<Void, any Error>>(.success(()))
        let isTried = DispatchSemaphore(value: 0)
        ThreadStarter.shared.start("llama \(name)") { [self] in
            // By the thread that decodes: the library keeps threads for each one that calls it.
            let outcome = Result {
                try LlamaThreadTrial.run(in: context, most: threads)
                if let drafter {
                    try LlamaThreadTrial.run(in: drafter.context, most: threads)
                }
            }
            trial.withLock { $0 = outcome }
            isTried.signal()
            if case .success = outcome { run(stepper, drafter) }
            ended.leave()
        }
        isTried.wait()
        try trial.withLock { try $0.get() }
    }

    /// The scheduler's bounds for a context.
    static func settings(
        _ layout: LlamaLayout, _ options: LlamaEngine.Options, _ context: LlamaContext
    ) -> SchedulerSettings {
        let model = context.model
        var settings = layout.scheduler(
            options, limits: context.limits, isRecurrent: model.info.isRecurrent)
        settings.expectedCost = model.info.expectedCost
        settings.vocabularySize = model.info.vocabularySize
        settings.endTokens = model.endTokens
        return settings
    }

    private var now: Duration { ContinuousClock.now - origin }

    // MARK: Requests, by any thread

    /// What it is busy with.
    var load: GenerationLoad {
        state.withLock { state in
            var load = state.scheduler.load
            load.stepAge = state.watch.age(now: now)
            return load
        }
    }

    /// Queues a request; see ``GenerativeModel/submit(_:onEvent:)``.
    func submit(
        _ request: GenerationRequest, of model: LlamaModel,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws -> GenerationID {
        if let adapter = request.adapter, !adapters.contains(adapter) {
            throw ServingError.notFound("The model has no adapter '\(adapter.prefix(64))'")
        }
        let task = try LlamaTask(
            request, of: model, contextTokens: contextTokens, onEvent: onEvent)
        let deadline = request.deadline.instant.map { $0 - origin }
        let (id, isToWake) = try state.withLock { state in
            guard !state.isClosed else {
                throw ServingError(.unavailable, "The model is being unloaded")
            }
            let id = try state.scheduler.submit(request, deadline: deadline, now: now)
            state.arrivals.append((id, task))
            return (id, LlamaLoop.takeIdle(&state))
        }
        if isToWake { wake.signal() }
        return id
    }

    /// Ends a request, unless it has ended.
    func cancel(_ id: GenerationID, reason: FinishReason) {
        let isToWake = state.withLock { state in
            guard let event = state.scheduler.cancel(id, reason: reason, now: now) else {
                return false
            }
            state.endings.append(event)
            return LlamaLoop.takeIdle(&state)
        }
        if isToWake { wake.signal() }
    }

    /// Ends all requests as cancelled, and the thread; blocks until that is done.
    func end() {
        let isToWake = state.withLock { state in
            guard !state.isClosed else { return false }
            state.isClosed = true
            state.endings += state.scheduler.cancelAll(now: now)
            return LlamaLoop.takeIdle(&state)
        }
        if isToWake { wake.signal() }
        ended.wait()
    }

    private static func takeIdle(_ state: inout State) -> Bool {
        defer { state.isIdle = false }
        return state.isIdle
    }

    // MARK: The thread

    private func run(_ stepper: LlamaStepper, _ drafter: LlamaDrafter?) {
        while true {
            var isClosed = false
            let plan = state.withLock { state in
                stepper.begin(state.arrivals)
                state.arrivals.removeAll()
                isClosed = state.isClosed
                var plan = state.scheduler.nextStep(now: now)
                plan.events = state.endings + plan.events
                state.endings.removeAll()
                let isEmpty = plan.chunks.isEmpty && plan.events.isEmpty
                state.isIdle = isEmpty && !isClosed
                if isEmpty { state.watch.didRest() } else { state.watch.didBegin(now: now) }
                return plan
            }
            stepper.tell(plan.events)
            let outcome = stepper.step(plan)
            // Operations alone may fail too.
            if !plan.chunks.isEmpty || outcome.losesMemory {
                let events = state.withLock { $0.scheduler.didStep(outcome, now: now) }
                stepper.tell(events)
                if let drafter { guess(drafter) }
            } else if plan.events.isEmpty {
                if isClosed { return }
                wait()
            }
        }
    }

    /// Lets the draft model guess ahead; requests may come meanwhile.
    private func guess(_ drafter: LlamaDrafter) {
        let wishes = state.withLock { $0.scheduler.draftWishes() }
        guard !wishes.isEmpty else { return }
        let round = drafter.guess(wishes)
        state.withLock { $0.scheduler.take(round) }
    }

    /// Waits for a request; one that waits for room, with nothing that runs, is looked at again.
    private func wait() {
        let isBlocked = state.withLock { !$0.scheduler.waiting.isEmpty }
        if isBlocked {
            _ = wake.wait(timeout: .now() + .milliseconds(50))
        } else {
            wake.wait()
        }
    }
}
