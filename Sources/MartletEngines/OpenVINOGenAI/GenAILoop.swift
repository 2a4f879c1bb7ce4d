internal import Dispatch
import MartletCore
internal import Synchronization

/// Keeps the worker of one model, and passes requests to it and tokens from it, by a thread of its
/// own.
///
/// Requests come and go by any thread; events are told by the loop's thread alone. When the worker
/// ends, all requests end by an error, and it is started again after a pause that doubles with each
/// failure.
final class GenAILoop: Sendable {
    /// How a worker is started and looked after.
    struct Settings: Sendable {
        /// The program and its arguments.
        var command: [String]
        /// How long it may take to load the model.
        var loadTimeout = Duration.seconds(600)
        /// A worker with something to do that says nothing for so long is ended.
        var stallTimeout = Duration.seconds(300)
        /// The first pause before it is started again.
        var pauseMin = Duration.milliseconds(200)
        /// No pause is longer.
        var pauseMax = Duration.seconds(30)
        /// Takes what it writes for people.
        var log: @Sendable (String) -> Void = { _ in }
    }

    /// Version of what is spoken with workers.
    static let protocolNumber = 1

    private struct State {
        var scheduler: GenAIScheduler
        /// Requests that have not been told their end.
        var tasks: [GenerationID: GenAITask] = [:]
        /// Why there is no worker, and when there should be one; `nil` while there is.
        var outage: (reason: String, until: Duration)?
        var isClosed = false
    }

    private let state: Mutex<State>
    private let settings: Settings
    private let wake: WakeSignal
    private let text: @Sendable (TokenID, Bool) -> [UInt8]
    private let vocabularySize: Int
    private let ended = DispatchGroup()
    private let origin = ContinuousClock.now

    /// Starts a worker, and waits until it has loaded the model.
    ///
    /// - Parameters:
    ///   - settings: how.
    ///   - scheduling: bounds on requests.
    ///   - name: the thread's name in debuggers and profiles.
    ///   - text: the bytes of a token's text; of a special one its name, if that is to be shown.
    /// - Throws: `ServingError` with the worker's reason.
    init(
        _ settings: Settings, scheduling: SchedulerSettings, name: String,
        text: @escaping @Sendable (TokenID, Bool) -> [UInt8]
    ) throws {
        state = Mutex(State(scheduler: GenAIScheduler(scheduling)))
        self.settings = settings
        self.text = text
        vocabularySize = scheduling.vocabularySize
        wake = try WakeSignal()
        let first = Mutex<Result<Void, any Error>>(.success(()))
        let isLoaded = DispatchSemaphore(value: 0)
        ended.enter()
        // Not by the loader's thread: what stands back would hand that on to the worker.
        ThreadStarter.shared.start("genai \(name)") { [self] in
            let worker = Result { try start() }
            first.withLock { $0 = worker.map { _ in } }
            isLoaded.signal()
            if case .success(let worker) = worker { run(worker) }
            ended.leave()
        }
        isLoaded.wait()
        try first.withLock { try $0.get() }
    }

    private var now: Duration { ContinuousClock.now - origin }

    private func start() throws -> GenAIWorker {
        try GenAIWorker(settings, wake: wake) { state.withLock { $0.isClosed } }
    }

    // MARK: Requests, by any thread

    /// What it is busy with.
    var load: GenerationLoad { state.withLock { $0.scheduler.load } }

    /// Queues a request; see ``GenerativeModel/submit(_:onEvent:)``.
    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        let task: GenAITask
        do {
            task = try GenAITask(request, vocabulary: vocabularySize, onEvent: onEvent)
        } catch {
            throw GenerationRefusal(error)
        }
        let deadline = request.deadline.instant.map { $0 - origin }
        let id = try state.withLock { state throws(GenerationRefusal) in
            try check(state)
            let id = try state.scheduler.submit(request, deadline: deadline, now: now)
            state.tasks[id] = task
            return id
        }
        wake.give()
        return id
    }

    private func check(_ state: borrowing State) throws(GenerationRefusal) {
        guard !state.isClosed else {
            throw GenerationRefusal(
                ServingError(.unavailable, "The model is being unloaded"))
        }
        guard let outage = state.outage else { return }
        throw GenerationRefusal(
            GenAILoop.interrupted(outage.reason),
            retryAfter: max(.seconds(1), outage.until - now))
    }

    private static func interrupted(_ reason: String) -> ServingError {
        ServingError(
            .unavailable,
            "The worker of OpenVINO GenAI ended (\(reason)) and is started again; try again")
    }

    /// Ends a request, unless it has ended.
    func cancel(_ id: GenerationID, reason: FinishReason) {
        state.withLock { $0.scheduler.cancel(id, reason: reason, now: now) }
        wake.give()
    }

    /// Ends all requests as cancelled, the worker and the thread; blocks until that is done.
    func end() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            state.scheduler.cancelAll(now: now)
        }
        wake.give()
        ended.wait()
    }
}

// MARK: The thread

extension GenAILoop {
    /// A pause that is no longer after a worker that lived so long.
    private static let soundAfter = Duration.seconds(60)

    private func run(_ first: GenAIWorker) {
        var worker: GenAIWorker? = first
        var pause = settings.pauseMin
        var loading = now
        while let serving = worker {
            let started = now
            let fault = serve(serving)
            serving.end()
            worker = nil
            tell()
            guard let fault else { return }
            if now - started >= GenAILoop.soundAfter { pause = settings.pauseMin }
            var reason = fault
            while worker == nil {
                guard interrupt(reason, until: now + pause + loading) else { return }
                rest(for: pause)
                pause = min(pause * 2, settings.pauseMax)
                guard !state.withLock({ $0.isClosed }) else { return }
                let begun = now
                do {
                    worker = try start()
                    loading = now - begun
                } catch {
                    reason = (error as? ServingError)?.message ?? "\(error)"
                }
            }
            state.withLock { state in
                state.scheduler.didStart()
                state.outage = nil
            }
            settings.log("started again")
        }
    }

    /// Ends all requests by an error, and lets none in until there is a worker again.
    ///
    /// - Returns: `false` when none is wanted any more.
    private func interrupt(_ reason: String, until: Duration) -> Bool {
        let isWanted = state.withLock { state in
            guard !state.isClosed else { return false }
            state.outage = (reason, until)
            state.scheduler.fail(GenAILoop.interrupted(reason), now: now)
            return true
        }
        settings.log("ended: \(reason)")
        tell()
        return isWanted
    }

    private func rest(for pause: Duration) {
        let end = now + pause
        while now < end, !state.withLock({ $0.isClosed }) { wake.wait(for: end - now) }
    }

    /// Passes requests and tokens on.
    ///
    /// - Returns: why the worker is of no more use; `nil` when it is wanted no more.
    private func serve(_ worker: GenAIWorker) -> String? {
        while true {
            let (commands, isRunning, deadline, isClosed) = state.withLock { state in
                state.scheduler.expire(now: now)
                state.scheduler.admit()
                return (
                    state.scheduler.takeCommands(), state.scheduler.isRunning,
                    state.scheduler.nextDeadline, state.isClosed
                )
            }
            tell()
            if isClosed { return nil }
            for command in commands where !worker.tell(command) {
                return "it takes no requests: "
                    + (worker.hear(for: .zero, isBusy: false).fault ?? "it does not read")
            }
            let rest = deadline.map { max(.zero, $0 - now) } ?? .seconds(60)
            // Now and then, to see whether it says anything at all.
            let news = worker.hear(for: min(rest, .seconds(isRunning ? 1 : 60)), isBusy: isRunning)
            for message in news.messages { take(message) }
            if let fault = news.fault { return fault }
        }
    }

    private func take(_ message: GenAIMessage) {
        state.withLock { state in
            switch message {
            case .step(let results, let cacheUsage):
                state.scheduler.take(results, cacheUsage: cacheUsage, now: now)
            case .refused(let id, let reason): state.scheduler.refuse(id, reason, now: now)
            case .failed(let id, let reason): state.scheduler.fail(id, reason, now: now)
            case .ready, .fatal: break
            }
        }
    }

    /// Tells requests what happened to them.
    private func tell() {
        let events = state.withLock { state in
            state.scheduler.takeEvents().compactMap { event -> (GenAIEvent, GenAITask)? in
                guard let task = state.tasks[event.id] else { return nil }
                if event.isLast { state.tasks[event.id] = nil }
                return (event, task)
            }
        }
        for (event, task) in events {
            switch event.kind {
            case .started(let cachedTokens): task.onEvent(.started(cachedTokens: cachedTokens))
            case .finished(let reason, let usage): task.onEvent(.finished(reason, usage))
            case .failed(let error, let usage): task.onEvent(.failed(error, usage))
            case .token(let id, let logprob):
                let logprobs = logprob.flatMap {
                    task.tellsLogprobs ? TokenLogprobs(logprob: $0, top: []) : nil
                }
                task.onEvent(
                    .token(
                        GeneratedToken(
                            id: id, bytes: text(id, task.shownTokens.contains(id)),
                            logprobs: logprobs)))
            }
        }
    }
}
