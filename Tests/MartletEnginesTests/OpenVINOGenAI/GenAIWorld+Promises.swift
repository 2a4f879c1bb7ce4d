import MartletCore
import MartletTestKit

@testable import MartletEngines

extension GenAIWorld {
    // MARK: What clients are told

    mutating func hear() {
        for event in scheduler.takeEvents() { hear(event) }
    }

    private mutating func hear(_ event: GenAIEvent) {
        let id = event.id
        guard var client = clients[id] else { return require(false, "nobody's event") }
        require(!client.hasEnded, "\(id) is told something behind its end")
        switch event.kind {
        case .started(let cached):
            require(!client.hasStarted, "\(id) starts twice")
            checkTurn(of: id, client)
            checkCached(cached, client.request.prompt)
            client.hasStarted = true
            client.cached = cached
        case .token(let token, _):
            require(client.hasStarted, "\(id) has a token and has not started")
            let said = worker.said[id]?.dropFirst(client.tokens.count).first
            require(said == token, "\(id) hears \(token), and \(said ?? -1) was said")
            client.tokens.append(token)
            require(client.tokens.count <= client.newTokensMax, "\(id) has too many tokens")
        case .finished(let reason, let usage):
            check(reason, id, client)
            check(usage, id, client)
        case .failed(let error, let usage):
            check(error, id)
            check(usage, id, client)
        }
        if event.isLast {
            client.hasEnded = true
            alive.removeAll { $0 == id }
        }
        clients[id] = client
    }

    private func check(_ reason: FinishReason, _ id: GenerationID, _ client: Client) {
        if client.cancelReason == reason { return }
        switch reason {
        case .cancelled: require(excuse == .unload, "\(id) was not cancelled")
        case .deadline:
            require(client.deadline.map { $0 <= now } ?? false, "\(id) ends before its deadline")
        case .length:
            require(client.tokens.count == client.newTokensMax, "\(id) has too few tokens")
        case .stop:
            let request = client.request
            let ends = (request.ignoresEndTokens ? [] : settings.endTokens) + request.stopTokens
            let next = worker.said[id]?.dropFirst(client.tokens.count).first
            let isEnd = next.map(ends.contains) ?? (worker.ended[id] == .stop)
            require(isEnd, "\(id) ends by token \(next ?? -1)")
        }
    }

    private func check(_ error: ServingError, _ id: GenerationID) {
        switch error.code {
        case .unavailable: require(excuse == .crash, "\(id) fails by a worker that lives")
        case .invalidArgument: require(worker.refused.contains(id), "\(id) was not refused")
        case .resourceExhausted: require(worker.ended[id] == .full, "\(id) had room")
        default: require(false, "\(id): \(error)")
        }
    }

    private func check(_ usage: GenerationUsage, _ id: GenerationID, _ client: Client) {
        let expected = GenerationUsage(
            promptTokens: client.request.prompt.count, cachedTokens: client.cached,
            generatedTokens: client.tokens.count)
        require(usage == expected, "\(id) took \(usage), not \(expected)")
    }

    // MARK: Who is let in

    /// The highest priority goes first; of a tenant the oldest.
    private func checkTurn(of id: GenerationID, _ client: Client) {
        let request = client.request
        for other in waiting where other != id {
            guard let before = clients[other]?.request else { continue }
            require(before.priority >= request.priority, "\(id) goes before \(other)")
            let isAlike = before.priority == request.priority && before.tenant == request.tenant
            require(!isAlike || other > id, "\(id) goes before \(other), which is older")
        }
    }

    /// What is in the cache was computed by this very worker.
    private func checkCached(_ cached: Int, _ prompt: [TokenID]) {
        guard cached > 0 else { return }
        require(settings.sharing != .none, "\(cached) tokens are shared")
        require(cached < prompt.count, "no token of \(prompt.count) is left to compute")
        let isKnown = worker.computed.contains { id in
            guard let tokens = clients[id]?.request.prompt, let said = worker.said[id] else {
                return false
            }
            return zip(tokens + said, prompt).prefix { $0 == $1 }.count >= cached
        }
        require(isKnown, "\(cached) tokens are cached that nobody computed")
    }

    func checkAdmission(of count: Int) {
        let running = running
        let needed = running.reduce(0) { $0 + cells(of: $1) }
        require(running.count <= settings.runningMax, "\(running.count) run")
        if count > 0, running.count > 1 {
            require(needed <= settings.cells, "\(needed) cells are needed of \(settings.cells)")
        }
        guard let first = waiting.first, running.count < settings.runningMax else { return }
        require(!running.isEmpty, "\(first) waits for nothing")
        require(
            waiting.contains { needed + cells(of: $0) > settings.cells },
            "\(first) waits though there is room for any")
    }

    private func cells(of id: GenerationID) -> Int {
        clients[id].map { $0.request.prompt.count + $0.tokens.count } ?? 0
    }

    // MARK: Counts

    func checkLoad() {
        let (load, running, waiting) = (scheduler.load, running, waiting)
        require(load.running == running.count, "\(load.running) run, not \(running.count)")
        require(load.waiting == waiting.count, "\(load.waiting) wait, not \(waiting.count)")
        require(waiting.count <= settings.waitingMax, "\(waiting.count) wait")
        require(
            load.waitingTokens == waiting.reduce(0) { $0 + cells(of: $1) }, "tokens are miscounted")
        require(
            load.prefilling == running.count { clients[$0]?.tokens.isEmpty == true },
            "\(load.prefilling) are said to have no token")
        require(
            load.cellsNeeded <= load.cellsUsed && load.cellsUsed <= load.cellsTotal,
            "\(load.cellsNeeded) of \(load.cellsUsed) of \(load.cellsTotal) cells")
        require(
            scheduler.nextDeadline == alive.compactMap { clients[$0]?.deadline }.min(),
            "the next deadline is another")
    }

    func checkCounters() {
        let counters = scheduler.load.counters
        let all = clients.values
        let started = all.filter(\.hasStarted)
        let ended =
            counters.completed + counters.cancelled + counters.expired + counters.failed
        require(counters.submitted == all.count, "\(counters.submitted) of \(all.count)")
        require(ended == all.count, "\(ended) of \(all.count) ended")
        require(
            counters.generatedTokens == all.reduce(0) { $0 + $1.tokens.count },
            "tokens are miscounted")
        require(
            counters.promptTokens == started.reduce(0) { $0 + $1.request.prompt.count },
            "prompts are miscounted")
        require(
            counters.prefixHitTokens == started.reduce(0) { $0 + $1.cached },
            "hits are miscounted")
        require(counters.failedSteps == crashes, "\(counters.failedSteps) of \(crashes) crashes")
    }
}
