import MartletCore
import MartletEngines
import MartletTransport
import Synchronization

/// One request for text while its choices are generated: makes the answer of what the model tells.
///
/// What the model tells comes by its own thread, which has other sequences to go on with: here it
/// does work by the token alone. Answers that are to be read are so by an ``AnswerReader``.
final class GenerationSession: Sendable {
    typealias Completion = @Sendable (Result<HTTPResponse, any Error>) -> Void

    struct State {
        var choices: [GeneratedChoice]
        var encoder: AnswerEncoder
        /// The model's names of the choices, as far as they are known.
        var ids: [GenerationID?]
        /// Choices that are to be ended as soon as their names are known.
        var unwanted: [FinishReason?]
        var unfinished: Int
        /// Takes the answer; `nil` once it was given, or begun.
        var completion: Completion?
        /// Writes the events of an answer that has begun.
        var writer: ContentWriter?
        /// The answer that has just begun, and what takes it once the lock is open.
        var begun: (completion: Completion, content: ContentStream)?
        var isOver = false
    }

    let plan: GenerationPlan
    private let streamBytesMax: Int
    private let observer: GenerationObserver
    /// `nil` where the text is the message as it is.
    let reader: AnswerReader?
    let state: Mutex<State>

    /// Prepares an answer.
    ///
    /// - Parameters:
    ///   - plan: what is to be generated.
    ///   - streamBytesMax: bytes of events that may wait for the client.
    ///   - observer: takes the times of tokens.
    ///   - reader: has the answer read, if it is more than its text.
    ///   - completion: takes the answer or its beginning, once.
    init(
        _ plan: GenerationPlan, streamBytesMax: Int, observer: GenerationObserver,
        reader: () -> AnswerReader, completion: @escaping Completion
    ) {
        self.plan = plan
        self.reader = plan.chat?.isPlain == false ? reader() : nil
        self.streamBytesMax = streamBytesMax
        self.observer = observer
        let count = plan.requests.count
        state = Mutex(
            State(
                choices: plan.requests.map { _ in
                    GeneratedChoice(
                        stop: plan.stop, chat: plan.chat, isTold: !plan.isEchoOnly)
                },
                encoder: AnswerEncoder(plan), ids: Array(repeating: nil, count: count),
                unwanted: Array(repeating: nil, count: count), unfinished: count,
                completion: completion))
    }

    /// Asks the model for all choices; ends them when nobody waits any more.
    func start(_ cancellation: Cancellation) {
        cancellation.onCancel { [weak self] in self?.abandon() }
        for (index, choice) in plan.requests.enumerated() {
            // One that failed, or a client that hung up, has ended the others already.
            guard !state.withLock({ $0.isOver }) else { return }
            var request = choice
            request.sequences = plan.requests.count
            do {
                let timer = observer.timer()
                let id = try plan.target.model.submit(request) { [self] event in
                    timer.note(event)
                    take(event, choice: index)
                }
                didSubmit(id, choice: index)
            } catch {
                fail(error.error.retrying(after: error.retryAfter))
                return
            }
        }
    }

    // MARK: Ending choices

    private func didSubmit(_ id: GenerationID, choice: Int) {
        let unwanted = state.withLock { state in
            state.ids[choice] = id
            return state.isOver ? .cancelled : state.unwanted[choice]
        }
        if let unwanted { plan.target.model.cancel(id, reason: unwanted) }
    }

    /// Nobody waits for the answer any more.
    private func abandon() {
        fail(ServingError(.cancelled, "The client closed the connection"))
    }

    private func cancel(_ ids: [GenerationID?], _ reason: FinishReason) {
        for id in ids { if let id { plan.target.model.cancel(id, reason: reason) } }
    }

    // MARK: Events of the model

    private func take(_ event: GenerationEvent, choice: Int) {
        switch event {
        case .started: break
        case .token(let token): take(token, choice: choice)
        case .finished(let reason, let usage): take(reason, usage, choice: choice)
        case .failed(let error, _):
            let refusal = error.cause as? GenerationRefusal
            fail(refusal.map { $0.error.retrying(after: $0.retryAfter) } ?? error)
        }
    }

    private func take(_ token: GeneratedToken, choice: Int) {
        let (toCancel, isFull, isToRead) = advance { state -> (GenerationID?, Bool, Bool) in
            guard !state.isOver, !state.choices[choice].isStopped else {
                return (nil, false, false)
            }
            let news = state.choices[choice].receive(token)
            let isFull = !news.isEmpty && !send(news, choice: choice, &state)
            // Whole answers are read once.
            let isToRead = plan.streams && state.choices[choice].awaitReading()
            guard state.choices[choice].isStopped else { return (nil, isFull, isToRead) }
            if state.ids[choice] == nil { state.unwanted[choice] = .stop }
            return (state.ids[choice], isFull, isToRead)
        }
        if let toCancel { plan.target.model.cancel(toCancel, reason: .stop) }
        if isFull { fail(GenerationSession.slowClient) }
        if isToRead { readSoon(choice, after: .zero) }
    }

    static let slowClient = ServingError(
        .resourceExhausted, "The client reads the stream more slowly than it is written")

    private func take(_ reason: FinishReason, _ usage: GenerationUsage, choice: Int) {
        // A text that a stop sequence ended is whole, whatever came before the model knew of it.
        let isStopped = state.withLock { $0.choices[choice].isStopped }
        switch isStopped ? .stop : reason {
        case .cancelled:
            fail(ServingError(.unavailable, "The model is being unloaded; try again"))
            return
        case .deadline:
            fail(
                ServingError(.deadlineExceeded, "The deadline passed before the text was complete"))
            return
        case .stop, .length: break
        }
        let (isFull, isToRead) = advance { state -> (Bool, Bool) in
            guard !state.isOver else { return (false, false) }
            let news = state.choices[choice].end(reason, usage)
            let isTaken = tell(news, choice: choice, &state)
            return (!isTaken, state.choices[choice].finish == nil)
        }
        if isFull {
            fail(GenerationSession.slowClient)
        } else if isToRead {
            readToTheEnd(choice)
        } else {
            finishIfDone()
        }
    }

    /// Sends what is new of a choice, and its end if it has ended; `false` if the client does not
    /// take it.
    func tell(
        _ news: GeneratedChoice.News, choice: Int, _ state: inout State
    ) -> Bool {
        var isTaken = news.isEmpty || send(news, choice: choice, &state)
        guard let finish = state.choices[choice].finish else { return isTaken }
        if plan.streams {
            isTaken = write(state.encoder.end(finish, choice: choice), &state) && isTaken
        }
        state.unfinished -= 1
        return isTaken
    }

    // MARK: The answer

    /// Changes the state, and gives the answer if that began it.
    ///
    /// Outside the lock: whoever takes the answer may end the request at once.
    func advance<Value: Sendable>(_ change: (inout State) -> Value) -> Value {
        let (value, begun) = state.withLock { state in
            let value = change(&state)
            defer { state.begun = nil }
            return (value, state.begun)
        }
        if let (completion, content) = begun { completion(.success(.events(content))) }
        return value
    }

    /// Sends what is new, where the answer streams; `false` if the client does not take it.
    private func send(
        _ news: GeneratedChoice.News, choice: Int, _ state: inout State
    ) -> Bool {
        guard plan.streams else { return true }
        return write(state.encoder.events(news, choice: choice), &state)
    }

    private func write(_ bytes: [UInt8], _ state: inout State) -> Bool {
        let writer: ContentWriter
        if let known = state.writer {
            writer = known
        } else {
            let (content, made) = ContentStream.make(bytesMax: streamBytesMax)
            state.writer = made
            writer = made
            // Only now: what fails before has a status of its own.
            state.begun = state.completion.map { ($0, content) }
            state.completion = nil
        }
        return writer.write(bytes) != .full
    }

    func finishIfDone() {
        let answer = state.withLock { state -> (Completion, HTTPResponse)? in
            guard state.unfinished == 0, !state.isOver else { return nil }
            state.isOver = true
            let usage = self.usage(of: state.choices)
            if let writer = state.writer {
                // Without its last event a stream must not look whole.
                if writer.write(state.encoder.ending(usage)) == .full {
                    writer.abort()
                } else {
                    writer.finish()
                }
                return nil
            }
            guard let completion = state.completion else { return nil }
            state.completion = nil
            return (completion, .json(state.encoder.whole(state.choices, usage)))
        }
        if let (completion, response) = answer { completion(.success(response)) }
    }

    private func usage(of choices: [GeneratedChoice]) -> TokenUsage {
        let prompts = stride(from: 0, to: choices.count, by: plan.choicesPerPrompt).map {
            choices[$0].usage
        }
        return TokenUsage(
            promptTokens: prompts.reduce(0) { $0 + $1.promptTokens },
            cachedTokens: prompts.reduce(0) { $0 + $1.cachedTokens },
            completionTokens: choices.reduce(0) { $0 + $1.usage.generatedTokens })
    }

    /// Ends the answer by an error, and all that is generated for it.
    func fail(_ error: ServingError) {
        let (completion, ids) = state.withLock { state -> (Completion?, [GenerationID?]) in
            guard !state.isOver else { return (nil, []) }
            state.isOver = true
            if let writer = state.writer {
                // A stream without room for its error must not look whole.
                if writer.write(OpenAIErrorAnswer(error).event) == .full {
                    writer.abort()
                } else {
                    writer.finish()
                }
            }
            defer { state.completion = nil }
            return (state.completion, state.ids)
        }
        cancel(ids, .cancelled)
        completion?(.failure(error))
    }
}

extension HTTPResponse {
    /// An answer of server-sent events, which nothing on the way may keep or collect.
    fileprivate static func events(_ content: ContentStream) -> HTTPResponse {
        var response = HTTPResponse(
            contentType: ServerSentEvents.contentType, stream: content)
        response.headers.add("cache-control", "no-cache")
        response.headers.add("x-accel-buffering", "no")
        return response
    }
}
