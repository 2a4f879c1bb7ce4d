import MartletCore
import MartletTestKit

@testable import MartletEngines

extension GenerationWorld {
    mutating func step() {
        steps += 1
        decoding = Set(
            scheduler.sequences.compactMap { $0 }.filter { $0.isDecoding }.map { $0.id })
        preemptions = scheduler.counters.preemptions
        if traits.drafts { guess() }
        let plan = scheduler.nextStep(now: now)
        for event in plan.events { take(event) }
        for operation in plan.operations { apply(operation) }
        check(plan)
        checkCells(beside: plan.tokens.count)
        if steps % 8 == 0 { checkTree() }
        guard !plan.chunks.isEmpty, complaint == nil else { return }
        now += .milliseconds(Int.random(in: 0...5, using: &random))
        if traits.cancels, Int.random(in: 0..<8, using: &random) == 0 { cancel() }
        if !isClosed, Int.random(in: 0..<8, using: &random) == 0 { submit() }
        let outcome = outcome(of: plan)
        for event in scheduler.didStep(outcome, now: now) { take(event) }
    }

    /// A draft model, which is right where the choice is as usual.
    private mutating func guess() {
        var round = DraftRound()
        for wish in scheduler.draftWishes() {
            require(wish.limit > 0, "\(wish.id) is to have no guesses")
            require(wish.tokens == clients[wish.id]?.tokens, "a wish of another text")
            guard Int.random(in: 0..<6, using: &random) > 0 else { continue }
            var last = wish.tokens.last ?? 0
            let guesses = (0..<Int.random(in: 1...wish.limit, using: &random)).map { _ in
                last = (last * 3 + 1) % 10 + 1
                return last
            }
            // Some come too late.
            let age = Int.random(in: 0..<8, using: &random) == 0 ? 1 : 0
            round.proposals.append(
                DraftProposal(id: wish.id, length: wish.tokens.count - age, tokens: guesses))
        }
        scheduler.take(round)
    }

    mutating func apply(_ operation: KVOperation) {
        do {
            try memory.apply(operation)
        } catch let violation as FakeKVMemory.Violation {
            require(false, violation.text)
        } catch {
            require(false, "\(error)")
        }
    }

    // MARK: The engine

    private mutating func outcome(of plan: StepPlan) -> StepOutcome {
        var chunks = plan.chunks[...]
        var failure: StepOutcome?
        if plan.chunks.contains(where: { clients[$0.id]?.isPoisoned == true }) {
            failure = .failed(ServingError(.internal, "poison"))
            chunks = chunks.prefix(Int.random(in: 0...chunks.count, using: &random))
        } else if traits.failures {
            (failure, chunks) = randomFailure(chunks)
        }
        var results: [SlotResult] = []
        for chunk in chunks {
            let seen = decode(chunk, of: plan)
            guard failure == nil, chunk.logits > 0 else { continue }
            results.append(sample(chunk, seen.suffix(chunk.logits), plan))
        }
        if traits.failures, Int.random(in: 0..<4, using: &random) == 0 {
            results.shuffle(using: &random)
        }
        return failure ?? .completed(results)
    }

    private mutating func randomFailure(
        _ chunks: ArraySlice<StepChunk>
    ) -> (StepOutcome?, ArraySlice<StepChunk>) {
        let done = chunks.prefix(Int.random(in: 0...chunks.count, using: &random))
        switch Int.random(in: 0..<60, using: &random) {
        case 0:
            if chunks.count == 1, let chunk = chunks.first { clients[chunk.id]?.mayFail = true }
            return (.failed(ServingError(.internal, "bad luck")), done)
        case 1, 2:
            if chunks.count == 1, let chunk = chunks.first { clients[chunk.id]?.mayFail = true }
            return (.aborted, done)
        case 3:
            for id in alive { clients[id]?.mayFail = true }
            return (.outOfCells, [])
        default: return (nil, chunks)
        }
    }

    private mutating func decode(_ chunk: StepChunk, of plan: StepPlan) -> [UInt64] {
        guard let client = clients[chunk.id] else { return [] }
        do {
            return try memory.decode(
                plan.tokens[chunk.tokens], at: Int(chunk.start), in: chunk.slot,
                root: root(of: client.request))
        } catch let violation as FakeKVMemory.Violation {
            require(false, "\(chunk.id): \(violation.text)")
        } catch {
            require(false, "\(error)")
        }
        return []
    }

    /// Chooses at one position after the other, until a guess was wrong.
    private mutating func sample(
        _ chunk: StepChunk, _ seen: ArraySlice<UInt64>, _ plan: StepPlan
    ) -> SlotResult {
        guard let client = clients[chunk.id] else { return .sampled(chunk.slot, []) }
        if client.end == nil {
            require(seen.first == client.history, "\(chunk.id) sees another history than its own")
        }
        if traits.failures, Int.random(in: 0..<200, using: &random) == 0 {
            clients[chunk.id]?.mayFail = true
            let error = ServingError(.internal, "no token fits")
            return Bool.random(using: &random)
                ? .failed(chunk.slot, error) : .sampled(chunk.slot, [])
        }
        let drafts = plan.tokens[chunk.tokens].suffix(chunk.drafts)
        var tokens: [TokenID] = []
        for (offset, history) in seen.enumerated() {
            let token = choose(client, history, before: tokens)
            tokens.append(token)
            guard offset < drafts.count, drafts[drafts.startIndex + offset] == token else { break }
        }
        return .sampled(chunk.slot, tokens)
    }

    /// Mostly what the token before says, so that texts repeat themselves.
    private func choose(
        _ client: Client, _ history: UInt64, before: [TokenID]
    ) -> TokenID {
        let last = (client.tokens + before).last ?? 0
        let draw = history >> 40
        if draw % 24 == 0 { return Self.endToken }
        return draw % 5 == 0 ? TokenID(draw / 5 % 10) + 1 : (last * 3 + 1) % 10 + 1
    }

    // MARK: Events

    mutating func take(_ event: SequenceEvent) {
        guard var client = clients[event.id] else { return require(false, "an unknown event") }
        require(client.end == nil, "\(event.id) hears something after its end")
        switch event.kind {
        case .started(let cached):
            require(!client.hasStarted, "\(event.id) starts twice")
            require(cached < client.request.prompt.count, "\(event.id): all is cached")
            require(cached == 0 || client.request.usesPrefixCache, "\(event.id) is cached")
            client.hasStarted = true
            client.cached = cached
        case .token(let token): take(token, &client, event.id)
        case .finished(let reason, let usage): checkEnd(reason, usage, client, event.id)
        case .failed(let error, _):
            require(client.isPoisoned || client.mayFail, "\(event.id) fails: \(error)")
        }
        if event.isLast {
            client.end = event.kind
            alive.removeAll { $0 == event.id }
        }
        clients[event.id] = client
    }

    private mutating func take(_ token: TokenID, _ client: inout Client, _ id: GenerationID) {
        require(client.hasStarted, "\(id) has a token before it started")
        let expected = choose(client, client.history, before: [])
        require(token == expected, "\(id) hears \(token), not \(expected)")
        client.tokens.append(token)
        client.generated.append(token)
        client.history = FakeKVMemory.mix(client.history, token)
        generatedTokens += 1
    }

    private mutating func checkEnd(
        _ reason: FinishReason, _ usage: GenerationUsage, _ client: Client, _ id: GenerationID
    ) {
        let count = client.generated.count
        let usual = GenerationUsage(
            promptTokens: client.request.prompt.count, cachedTokens: client.cached,
            generatedTokens: count)
        require(usage == usual, "\(id) is told \(usage), not \(usual)")
        let room = settings.contextTokensMax - client.request.prompt.count + 1
        let limit = min(client.request.newTokensMax ?? room, room)
        switch reason {
        case .length: require(count == limit, "\(id) ends after \(count) of \(limit) tokens")
        case .stop:
            let next = choose(client, client.history, before: [])
            require(next == Self.endToken, "\(id) ends with \(next)")
        case .deadline:
            require(client.deadline.map { $0 <= now } ?? false, "\(id) expires too early")
        case .cancelled: require(traits.cancels, "\(id) is cancelled by nobody")
        }
        require(count <= limit, "\(id) has \(count) of \(limit) tokens")
    }
}
