import MartletEngines

/// Writes an answer in the form that was asked for: event by event, or whole.
struct AnswerEncoder: Sendable {
    private enum Kind {
        case chat(ChatChunkEncoder)
        case completion(CompletionEncoder)
    }

    private let kind: Kind
    private let plan: GenerationPlan
    /// Unicode scalars of each choice's text so far.
    private var offsets: [Int]
    /// Whether each choice has begun.
    private var hasBegun: [Bool]

    init(_ plan: GenerationPlan) {
        self.plan = plan
        let count = plan.requests.count
        offsets = Array(repeating: 0, count: count)
        hasBegun = Array(repeating: false, count: count)
        switch plan.form {
        case .chat:
            kind = .chat(
                ChatChunkEncoder(plan.identity, includesUsage: plan.includesUsage))
        case .completion:
            kind = .completion(
                CompletionEncoder(plan.identity, includesUsage: plan.includesUsage))
        }
    }

    // MARK: Events

    /// The events of what is new of a choice.
    mutating func events(_ news: GeneratedChoice.News, choice: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        open(choice, to: &bytes)
        let logprobs = plan.wantsLogprobs ? news.logprobs : nil
        let hasText = !news.text.isEmpty || !(logprobs ?? []).isEmpty
        switch kind {
        case .chat(let encoder):
            if !news.thoughts.isEmpty {
                // Where there is no text their tokens are those of the thoughts.
                let own = news.text.isEmpty ? logprobs : logprobs.map { _ in [] }
                encoder.appendThoughts(news.thoughts, logprobs: own, choice: choice, to: &bytes)
            }
            if !news.text.isEmpty || hasText && news.thoughts.isEmpty {
                encoder.appendText(news.text, logprobs: logprobs, choice: choice, to: &bytes)
            }
            for call in news.calls {
                encoder.appendToolCall(call, choice: choice, to: &bytes)
            }
        case .completion(let encoder):
            guard hasText else { break }
            offsets[choice] = encoder.appendText(
                news.text, logprobs: logprobs, offset: offsets[choice], choice: choice,
                to: &bytes)
        }
        return bytes
    }

    /// The event of a choice's end.
    mutating func end(_ reason: OpenAIFinishReason, choice: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        open(choice, to: &bytes)
        switch kind {
        case .chat(let encoder): encoder.appendFinish(reason, choice: choice, to: &bytes)
        case .completion(let encoder): encoder.appendFinish(reason, choice: choice, to: &bytes)
        }
        return bytes
    }

    /// What ends the stream.
    func ending(_ usage: TokenUsage) -> [UInt8] {
        var bytes: [UInt8] = []
        if plan.includesUsage {
            switch kind {
            case .chat(let encoder): encoder.appendUsage(usage, to: &bytes)
            case .completion(let encoder): encoder.appendUsage(usage, to: &bytes)
            }
        }
        return bytes + ServerSentEvents.done
    }

    private mutating func open(_ choice: Int, to bytes: inout [UInt8]) {
        guard !hasBegun[choice] else { return }
        hasBegun[choice] = true
        switch kind {
        case .chat(let encoder): encoder.appendRole(choice: choice, to: &bytes)
        case .completion(let encoder):
            guard let echo = echo(of: choice) else { return }
            offsets[choice] = String(decoding: echo, as: UTF8.self).unicodeScalars.count
            encoder.appendText(echo, choice: choice, to: &bytes)
        }
    }

    private func echo(of choice: Int) -> [UInt8]? {
        guard choice < plan.echoes.count, !plan.echoes[choice].isEmpty else { return nil }
        return plan.echoes[choice]
    }

    // MARK: Whole

    /// The whole answer.
    func whole(_ choices: [GeneratedChoice], _ usage: TokenUsage) -> [UInt8] {
        switch kind {
        case .chat:
            ChatAnswer.encode(
                plan.identity,
                choices: choices.map { choice in
                    let calls = choice.toolCalls
                    return ChatChoice(
                        text: choice.text.isEmpty && !calls.isEmpty ? nil : choice.text,
                        thoughts: choice.thoughts,
                        toolCalls: calls, logprobs: plan.wantsLogprobs ? choice.logprobs : nil,
                        finishReason: choice.finish ?? .stop)
                }, usage: usage)
        case .completion(let encoder):
            encoder.whole(
                choices.enumerated().map { index, choice in
                    CompletionChoice(
                        text: (echo(of: index) ?? []) + choice.text,
                        logprobs: plan.wantsLogprobs ? choice.logprobs : nil,
                        finishReason: choice.finish ?? .stop)
                }, usage: usage)
        }
    }
}
