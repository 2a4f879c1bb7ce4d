import MartletCore
import MartletTestKit

@testable import MartletEngines

extension GenAIWorld {
    /// A worker that says tokens at random.
    struct Worker {
        /// What it was told and has not heard, and what it said and nobody has heard.
        var inbox: [GenAICommand] = []
        var outbox: [GenAIMessage] = []
        /// The requests that it has, in their order.
        var live: [GenAISubmission] = []
        /// What it has said of each request, in this life and earlier ones.
        var said: [GenerationID: [TokenID]] = [:]
        /// Requests that it ended of its own, and how.
        var ended: [GenerationID: GenAIResult.End] = [:]
        var refused: Set<GenerationID> = []
        /// Requests that it computed since it was started.
        var computed: Set<GenerationID> = []

        fileprivate mutating func end(_ id: GenerationID) {
            live.removeAll { $0.id == id.number }
        }
    }

    // MARK: Its life

    mutating func crash() {
        worker.inbox = []
        worker.outbox = []
        worker.live = []
        worker.computed = []
        isDown = true
        crashes += 1
        excuse = .crash
        scheduler.didLoseWorker(ServingError(.unavailable, "gone"), now: now)
        hear()
        require(running.isEmpty, "\(running.count) outlive their worker")
        let movable = alive.count { clients[$0]?.request.hasOtherEngine == true }
        require(movable == 0, "\(movable) wait though another engine takes them")
        if Bool.random(using: &random) {
            scheduler.turnAway(ServingError(.unavailable, "gone"), now: now)
            hear()
            require(alive.isEmpty, "\(alive.count) wait for nobody")
        }
        excuse = nil
        require(scheduler.takeCommands().isEmpty, "a worker that is gone is told something")
    }

    mutating func start() {
        scheduler.didStart()
        isDown = false
    }

    // MARK: Its steps

    mutating func stepWorker(hearsAll: Bool = false) {
        let count =
            hearsAll
            ? worker.inbox.count : Int.random(in: 0...worker.inbox.count, using: &random)
        for command in worker.inbox.prefix(count) { obey(command) }
        worker.inbox.removeFirst(count)
        guard !worker.live.isEmpty else { return }
        let results = worker.live.compactMap { submission in
            Int.random(in: 0..<3, using: &random) == 0 ? nil : result(of: submission)
        }
        for result in results where result.end != nil { worker.end(result.id) }
        let usage = traits.quirks && Bool.random(using: &random) ? Double.nan : 0.5
        worker.outbox.append(.step(results, cacheUsage: usage))
    }

    private mutating func obey(_ command: GenAICommand) {
        switch command {
        case .cancel(let id): worker.end(id)
        case .submit(let submission):
            let id = GenerationID(number: submission.id)
            guard let client = clients[id] else { return require(false, "nobody asked for \(id)") }
            require(client.hasStarted, "\(id) is begun and was not told")
            require(worker.said[id] == nil, "\(id) is begun twice")
            require(submission.prompt == client.request.prompt, "\(id) has another prompt")
            require(submission.tokens == client.newTokensMax, "\(id) may have other tokens")
            worker.said[id] = []
            if traits.quirks, Int.random(in: 0..<12, using: &random) == 0 {
                worker.refused.insert(id)
                worker.outbox.append(.refused(id, "not this one"))
            } else {
                worker.live.append(submission)
            }
        }
    }

    private mutating func result(of submission: GenAISubmission) -> GenAIResult {
        let id = GenerationID(number: submission.id)
        var (tokens, end): ([TokenID], GenAIResult.End?) = ([], nil)
        if traits.quirks, Int.random(in: 0..<20, using: &random) == 0 {
            end = Bool.random(using: &random) ? .full : .stop
        } else {
            let isDeaf = traits.quirks && Int.random(in: 0..<10, using: &random) == 0
            for _ in 0..<Int.random(in: 1...3, using: &random) where end == nil {
                let token = TokenID.random(in: 0..<Self.vocabulary, using: &random)
                tokens.append(token)
                worker.said[id]?.append(token)
                if submission.ends.contains(token) {
                    end = .stop
                } else if (worker.said[id]?.count ?? 0) >= submission.tokens {
                    end = .length
                }
                if isDeaf { end = nil }
            }
            worker.computed.insert(id)
        }
        worker.ended[id] = end
        return GenAIResult(id: id, tokens: tokens, end: end)
    }

    mutating func deliverToNode() {
        guard !worker.outbox.isEmpty else { return }
        switch worker.outbox.removeFirst() {
        case .step(let results, let usage): scheduler.take(results, cacheUsage: usage, now: now)
        case .refused(let id, let reason): scheduler.refuse(id, reason, now: now)
        case .failed(let id, let reason): scheduler.fail(id, reason, now: now)
        case .ready, .fatal: break
        }
        hear()
    }
}
