import MartletCore

/// Does the steps of a decode loop: moves cells, decodes, samples, and tells what came of it.
///
/// Used by the loop's thread alone.
final class LlamaStepper: Sendable {
    private struct Room {
        var tasks: [GenerationID: LlamaTask] = [:]
        var batch = LlamaBatch()
        var adapter: String?
        var places: SlotPlaces
    }

    private let context: LlamaContext
    private let adapters: [String: LlamaAdapter]
    // The loop's thread is its only user, but for arrivals, which come under the loop's lock.
    nonisolated(unsafe) private var room: Room

    init(context: LlamaContext, adapters: [String: LlamaAdapter]) {
        self.context = context
        self.adapters = adapters
        room = Room(
            batch: LlamaBatch(capacity: context.limits.batch),
            places: SlotPlaces(count: context.limits.sequences))
    }

    /// Takes requests in that the scheduler may speak of from now on.
    func begin(_ arrivals: [(GenerationID, LlamaTask)]) {
        for (id, task) in arrivals { room.tasks[id] = task }
    }

    // MARK: A step

    /// Does a step; without chunks, its operations alone.
    func step(_ plan: StepPlan) -> StepOutcome {
        do {
            if !plan.chunks.isEmpty, !context.limits.isUnified { try settle(plan.chunks) }
            for operation in plan.operations { try perform(operation) }
        } catch {
            // Half done: what it has moved is where nobody looks for it.
            context.removeAllCells()
            return .memoryLost(LlamaStepper.servingError(error))
        }
        do {
            guard !plan.chunks.isEmpty else { return .completed([]) }
            try apply(plan.adapter)
            // As the engine takes together only sequences that follow one another.
            let chunks = plan.chunks.sorted { room.places[$0.slot] < room.places[$1.slot] }
            fillBatch(chunks, plan.tokens)
            switch try context.decode(room.batch) {
            case .computed: return .completed(sample(chunks, plan.tokens))
            case .full: return .outOfCells
            case .cancelled: return .aborted
            }
        } catch {
            return .failed(LlamaStepper.servingError(error))
        }
    }

    private static func servingError(_ error: any Error) -> ServingError {
        error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
    }

    /// Moves sequences that begin to where they can be computed with the others.
    private func settle(_ chunks: [StepChunk]) throws {
        for (first, second) in room.places.settle(chunks.map(\.slot)) {
            let states = try [first, second].map { sequence in
                context.lastPosition(of: sequence) == nil
                    ? nil : try context.state(of: sequence)
            }
            try context.removeCells(of: first)
            try context.removeCells(of: second)
            if let state = states[0] { try context.restore(second, from: state) }
            if let state = states[1] { try context.restore(first, from: state) }
        }
    }

    private func perform(_ operation: KVOperation) throws {
        switch operation {
        case .share(let sourceSlot, let targetSlot, let positions):
            let (source, target) = (room.places[sourceSlot], room.places[targetSlot])
            guard !context.limits.isUnified else {
                try context.shareCells(
                    of: source, with: target, from: positions.lowerBound,
                    to: positions.upperBound)
                return
            }
            try copy(source, to: target)
            try context.removeCells(of: target, from: positions.upperBound)
        case .remove(let slot, let positions):
            try context.removeCells(
                of: room.places[slot], from: positions.lowerBound == 0 ? nil : positions.lowerBound,
                to: positions.upperBound == .max ? nil : positions.upperBound)
        }
    }

    /// Copies a sequence of split memory: by its state, unless it fills most of its part, as the
    /// engine's own copy moves all of that.
    private func copy(_ source: SlotID, to target: SlotID) throws {
        let tokens = Int(context.lastPosition(of: source) ?? 0) + 1
        if tokens * 2 < context.limits.sequenceCells {
            try context.restore(target, from: try context.state(of: source))
        } else {
            try context.shareCells(of: source, with: target)
        }
    }

    private func apply(_ name: String?) throws {
        guard name != room.adapter else { return }
        try context.setAdapters(
            name.flatMap { adapters[$0] }.map { [(adapter: $0, scale: Float(1))] } ?? [])
        room.adapter = name
    }

    private func fillBatch(_ chunks: [StepChunk], _ tokens: [TokenID]) {
        room.batch.removeAll()
        for chunk in chunks {
            let sequence = room.places[chunk.slot]
            let firstOutput = chunk.tokens.upperBound - chunk.logits
            var position = chunk.start
            for index in chunk.tokens {
                room.batch.append(
                    tokens[index], position: position, sequence: sequence,
                    wantsOutput: index >= firstOutput)
                position += 1
            }
        }
    }

    // MARK: Sampling

    /// Samples the sequences of a batch, whose chunks stand in it in their order.
    private func sample(_ chunks: [StepChunk], _ tokens: [TokenID]) -> [SlotResult] {
        var results: [SlotResult] = []
        results.reserveCapacity(chunks.count)
        var end = 0
        for chunk in chunks {
            end += chunk.tokens.count
            guard chunk.logits > 0 else { continue }
            do {
                let guesses = tokens[chunk.tokens].suffix(chunk.drafts)
                let sampled = try sample(chunk, at: end - chunk.logits, Array(guesses))
                results.append(.sampled(chunk.slot, sampled))
            } catch {
                results.append(.failed(chunk.slot, LlamaStepper.servingError(error)))
            }
        }
        return results
    }

    /// The tokens of a chunk whose outputs begin at a place of the batch, up to the first that is not
    /// as it was guessed.
    private func sample(
        _ chunk: StepChunk, at first: Int, _ guesses: [TokenID]
    ) throws -> [TokenID] {
        let sampler = room.tasks[chunk.id]?.sampler
        let logprobs = room.tasks[chunk.id]?.logprobs
        var tokens: [TokenID] = []
        for place in 0..<chunk.logits {
            let index = first + place
            let token: TokenID
            if let sampler {
                token = try sampler.sample(context, at: index)
                try sampler.accept(token)
            } else if let likeliest = context.likeliest(at: index) {
                token = likeliest
            } else {
                throw ServingError(.internal, "llama.cpp gave no scores, or none that are numbers")
            }
            if let logprobs {
                let told = try self.logprobs(of: token, at: index, likeliest: logprobs)
                room.tasks[chunk.id]?.untold.append(told)
            }
            tokens.append(token)
            if place < guesses.count, token != guesses[place] { break }
        }
        return tokens
    }

    private func logprobs(
        of token: TokenID, at index: Int, likeliest count: Int
    ) throws -> TokenLogprobs {
        let values = try context.logProbabilities(of: token, at: index, likeliest: count)
        return TokenLogprobs(
            logprob: values.ofToken,
            top: values.likeliest.map { likely in
                TokenLogprobs.Alternative(
                    id: likely.token, bytes: bytes(of: likely.token, isShown: true),
                    logprob: likely.value)
            })
    }

    private func bytes(of token: TokenID, isShown: Bool) -> [UInt8] {
        context.model.bytes(of: token, showsSpecial: isShown)
    }

    // MARK: Telling

    /// Tells requests what happened to them.
    func tell(_ events: [SequenceEvent]) {
        for event in events {
            guard let task = room.tasks[event.id] else { continue }
            switch event.kind {
            case .started(let cachedTokens): task.onEvent(.started(cachedTokens: cachedTokens))
            case .token(let token): tell(token, to: event.id, task)
            case .finished(let reason, let usage): task.onEvent(.finished(reason, usage))
            case .failed(let error, let usage): task.onEvent(.failed(error, usage))
            }
            if event.isLast { room.tasks[event.id] = nil }
        }
    }

    private func tell(_ token: TokenID, to id: GenerationID, _ task: LlamaTask) {
        var logprobs: TokenLogprobs?
        if !task.untold.isEmpty { logprobs = room.tasks[id]?.untold.removeFirst() }
        let isShown = task.shownTokens.contains(token)
        task.onEvent(
            .token(
                GeneratedToken(
                    id: token, bytes: bytes(of: token, isShown: isShown), logprobs: logprobs)))
    }
}
