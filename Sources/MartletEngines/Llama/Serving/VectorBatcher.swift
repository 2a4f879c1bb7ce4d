internal import Dispatch
internal import MartletCore
internal import Synchronization

/// Computes the vectors of texts of several requests together, one group at a time.
///
/// Groups are computed by a thread that is there while there are any; no other waits for one.
final class VectorBatcher: Sendable {
    /// Takes what became of a request, exactly once.
    typealias Completion = @Sendable (Result<[[Float]], any Error>) -> Void

    private struct Caller: Sendable {
        let check: @Sendable () throws -> Void
        let completion: Completion
    }

    private struct State: Sendable {
        var queue: VectorQueue
        var callers: [VectorQueue.RequestID: Caller] = [:]
        /// Whether groups are computed until none is left.
        var isComputing = false
        /// Whether those that wait are asked from time to time until there are none.
        var isWatching = false
    }

    /// How often those that wait are asked whether they are still wanted.
    private static let pause = DispatchTimeInterval.milliseconds(50)
    /// Requests that may wait by default.
    static let requestsMax = 1024

    private let state: Mutex<State>
    private let requestsMax: Int
    private let compute: @Sendable ([[TokenID]]) throws -> [[Float]]
    private let computing = DispatchQueue(label: "martlet.vectors")
    /// Its pool has as many threads as there are cores: answers are written while the next group
    /// is computed.
    private let telling = DispatchQueue.global(qos: .userInitiated)

    /// Creates one.
    ///
    /// - Parameters:
    ///   - bounds: what fits into a group.
    ///   - requestsMax: requests that there may be at once; one more is refused.
    ///   - compute: makes a vector of each text of a group; blocks, and is called by one thread
    ///     at a time.
    init(
        bounds: VectorQueue.Bounds, requestsMax: Int = VectorBatcher.requestsMax,
        compute: @escaping @Sendable ([[TokenID]]) throws -> [[Float]]
    ) {
        state = Mutex(State(queue: VectorQueue(bounds: bounds)))
        self.requestsMax = requestsMax
        self.compute = compute
    }

    /// What it is busy with, each text counted as a sequence.
    var load: GenerationLoad { state.withLock { $0.queue.load } }

    /// Has one vector made for each prompt, in order; returns at once.
    ///
    /// - Parameters:
    ///   - prompts: the tokens of each, which fit into a group.
    ///   - check: asked before each group, and from time to time; an error of it ends the work.
    ///   - completion: takes the vectors; or what `check` throws, what computing a group throws
    ///     that has these texts alone, or `RESOURCE_EXHAUSTED` where too many requests wait.
    func submit(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping Completion
    ) {
        guard !prompts.isEmpty else { return completion(.success([])) }
        let isTaken = state.withLock { state in
            guard state.callers.count < requestsMax else { return false }
            let id = state.queue.add(prompts)
            state.callers[id] = Caller(check: check, completion: completion)
            if !state.isComputing { computing.async { self.computeGroups() } }
            state.isComputing = true
            if !state.isWatching { watchLater() }
            state.isWatching = true
            return true
        }
        guard !isTaken else { return }
        completion(
            .failure(
                ServingError(
                    .resourceExhausted,
                    "\(requestsMax) requests for vectors are waiting. Try again later or add nodes"
                )))
    }

    private func computeGroups() {
        while let group = nextGroup() {
            let result = Result { try compute(group.prompts) }
            let ended = state.withLock { state in
                state.queue.finish(result).compactMap { id -> (Caller, VectorQueue.Outcome)? in
                    guard let outcome = state.queue.takeOutcome(of: id) else { return nil }
                    return state.callers.removeValue(forKey: id).map { ($0, outcome) }
                }
            }
            for (caller, outcome) in ended { tell(caller, outcome.result) }
        }
    }

    /// The next group, of those that are still wanted; `nil` if none waits.
    private func nextGroup() -> VectorQueue.Group? {
        endUnwanted()
        return state.withLock { state in
            let group = state.queue.leader.flatMap { state.queue.group(ledBy: $0) }
            if group == nil { state.isComputing = false }
            return group
        }
    }

    private func watchLater() {
        telling.asyncAfter(deadline: .now() + VectorBatcher.pause) { [self] in
            endUnwanted()
            let isWatching = state.withLock { state in
                state.isWatching = !state.callers.isEmpty
                return state.isWatching
            }
            if isWatching { watchLater() }
        }
    }

    private func endUnwanted() {
        for (id, caller) in state.withLock({ $0.callers }) {
            do {
                try caller.check()
            } catch {
                let isThere = state.withLock { state in
                    // Whose turn it is then, the thread that computes asks.
                    _ = state.queue.remove(id)
                    return state.callers.removeValue(forKey: id) != nil
                }
                if isThere { tell(caller, .failure(error)) }
            }
        }
    }

    private func tell(_ caller: Caller, _ result: Result<[[Float]], any Error>) {
        telling.async { caller.completion(result) }
    }
}

extension VectorQueue.Outcome {
    /// The vectors, or what went wrong.
    fileprivate var result: Result<[[Float]], any Error> {
        switch self {
        case .vectors(let vectors): .success(vectors)
        case .failure(let error): .failure(error)
        }
    }
}
