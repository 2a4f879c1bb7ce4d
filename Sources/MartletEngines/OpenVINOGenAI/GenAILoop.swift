internal import Dispatch
import MartletCore
internal import Synchronization

/// Keeps the worker of one model, and passes requests to it and tokens from it, by a thread of its
/// own.
///
/// Requests come and go by any thread; events are told by the loop's thread alone. When the worker
/// ends, what it had ends by an error, and it is started again after a pause that doubles with each
/// failure; what waited goes to the next one, if that comes soon.
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
        /// What waits when it ends is kept for the next one for so long at most.
        var patience = Duration.seconds(10)
        /// Takes what it writes for people.
        var log: @Sendable (String) -> Void = { _ in }
    }

    /// Version of what is spoken with workers.
    static let protocolNumber = 1

    private let state: Mutex<GenAIRequests>
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
        state = Mutex(GenAIRequests(scheduling))
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
        try GenAIWorker(settings, wake: wake) { lookAfterWaiting() }
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
            try state.check(now: now)
            let id = try state.scheduler.submit(request, deadline: deadline, now: now)
            state.tasks[id] = task
            return id
        }
        wake.give()
        return id
    }

    /// Ends a request, unless it has ended.
    func cancel(_ id: GenerationID, reason: FinishReason) {
        state.withLock { $0.scheduler.cancel(id, reason: reason, now: now) }
        wake.give()
    }

    /// Ends all requests as cancelled, the worker and the thread; blocks until that is done.
    func end() {
        state.withLock { $0.close(now: now) }
        wake.give()
        ended.wait()
    }
}

// MARK: The thread

extension GenAILoop {
    /// A pause that is no longer after a worker that lived so long.
    private static let soundAfter = Duration.seconds(60)

    private func run(_ first: GenAIWorker) {
        var worker = first
        var pause = settings.pauseMin
        var loading = now
        // Those that waited for a worker as the model was unloaded.
        defer { tell() }
        while true {
            let started = now
            let fault = serve(worker)
            worker.end()
            guard let fault else { return }
            if now - started >= GenAILoop.soundAfter { pause = settings.pauseMin }
            settings.log("ended: \(fault)")
            state.withLock { state in
                state.didLoseWorker(
                    fault, until: now + pause + loading, patience: settings.patience, now: now)
            }
            tell()
            guard let next = startAgain(&pause, &loading) else { return }
            state.withLock { $0.didStart() }
            settings.log("started again")
            worker = next
        }
    }

    /// Starts a worker, however often it takes.
    ///
    /// - Parameters:
    ///   - pause: how long to rest before; doubles each time.
    ///   - loading: how long it took to load the model.
    /// - Returns: `nil` when none is wanted any more.
    private func startAgain(_ pause: inout Duration, _ loading: inout Duration) -> GenAIWorker? {
        while true {
            rest(for: pause)
            pause = min(pause * 2, settings.pauseMax)
            guard !state.withLock({ $0.isClosed }) else { return nil }
            let begun = now
            do {
                let worker = try start()
                loading = now - begun
                return worker
            } catch {
                guard !state.withLock({ $0.isClosed }) else { return nil }
                let reason = (error as? ServingError)?.message ?? "\(error)"
                settings.log("not started again: \(reason)")
                let until = now + pause + loading
                state.withLock { $0.didNotStart(reason, until: until, now: now) }
                tell()
            }
        }
    }

    private func rest(for pause: Duration) {
        let end = now + pause
        while now < end, let look = lookAfterWaiting() { wake.wait(for: min(look, end - now)) }
    }

    /// Ends those that wait for a worker in vain.
    ///
    /// - Returns: when to look again; `nil` once the model is being unloaded.
    private func lookAfterWaiting() -> Duration? {
        let look = state.withLock { $0.lookAfterWaiting(now: now) }
        tell()
        return look
    }

    /// Passes requests and tokens on.
    ///
    /// - Returns: why the worker is of no more use; `nil` when it is wanted no more.
    private func serve(_ worker: GenAIWorker) -> String? {
        while true {
            // What is not told can be taken back; and nothing piles up before one that hangs.
            let isBehind = worker.isBehind
            let (commands, isBusy, deadline, isClosed) = state.withLock { state in
                state.scheduler.expire(now: now)
                if !isBehind { state.scheduler.admit() }
                return (
                    state.scheduler.takeCommands(), isBehind || state.scheduler.isRunning,
                    state.scheduler.nextDeadline, state.isClosed
                )
            }
            tell()
            if isClosed { return nil }
            for command in commands where !worker.tell(command) {
                return "it takes no requests: "
                    + (worker.hear(for: .zero, isBusy: false).fault ?? "it is gone")
            }
            let rest = deadline.map { max(.zero, $0 - now) } ?? .seconds(60)
            // Now and then, to see whether it says anything at all.
            let news = worker.hear(for: min(rest, .seconds(isBusy ? 1 : 60)), isBusy: isBusy)
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
        for (event, task) in state.withLock({ $0.takeEvents() }) {
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
