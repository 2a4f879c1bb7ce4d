internal import Dispatch
internal import Synchronization

/// Computes the vectors of texts of several requests together, on the threads of the requests.
///
/// Each caller waits for its turn, or for others to have computed its texts in their turns. So
/// there is no thread of its own, and nothing to end. One group is computed at a time.
final class VectorBatcher: Sendable {
    private struct State: Sendable {
        var queue: VectorQueue
        var signals: [VectorQueue.RequestID: DispatchSemaphore] = [:]
    }

    /// How often one that waits asks whether it is still wanted.
    private static let pause = DispatchTimeInterval.milliseconds(50)

    private let state: Mutex<State>
    private let compute: @Sendable ([[TokenID]]) throws -> [[Float]]

    /// Creates one.
    ///
    /// - Parameters:
    ///   - bounds: what fits into a group.
    ///   - compute: makes a vector of each text of a group; blocks, and is called by one thread
    ///     at a time.
    init(
        bounds: VectorQueue.Bounds, compute: @escaping @Sendable ([[TokenID]]) throws -> [[Float]]
    ) {
        state = Mutex(State(queue: VectorQueue(bounds: bounds)))
        self.compute = compute
    }

    /// What it is busy with, each text counted as a sequence.
    var load: GenerationLoad { state.withLock { $0.queue.load } }

    /// One vector for each prompt, in order; blocks.
    ///
    /// - Parameters:
    ///   - prompts: the tokens of each, which fit into a group.
    ///   - check: asked before each turn, and from time to time while others have theirs; an error
    ///     of it ends the work.
    /// - Returns: the vectors.
    /// - Throws: what `check` throws, and what computing a group throws that has its texts alone.
    func vectors(
        of prompts: [[TokenID]], checking check: () throws -> Void
    ) throws -> [[Float]] {
        let signal = DispatchSemaphore(value: 0)
        let id = state.withLock { state in
            let id = state.queue.add(prompts)
            state.signals[id] = signal
            return id
        }
        defer { leave(id) }
        while true {
            switch state.withLock({ $0.queue.takeOutcome(of: id) }) {
            case .vectors(let vectors)?: return vectors
            case .failure(let error)?: throw error
            case nil: break
            }
            // Who waited for others may be wanted no more.
            try check()
            guard let group = state.withLock({ $0.queue.group(ledBy: id) }) else {
                _ = signal.wait(timeout: .now() + VectorBatcher.pause)
                continue
            }
            let result = Result { try compute(group.prompts) }
            wake { $0.finish(result) }
        }
    }

    private func leave(_ id: VectorQueue.RequestID) {
        wake { queue in queue.remove(id).map { [$0] } ?? [] }
        state.withLock { $0.signals[id] = nil }
    }

    /// Changes the queue, and wakes those whose turn it is thereby, or who need not wait any more.
    private func wake(_ change: (inout VectorQueue) -> [VectorQueue.RequestID]) {
        let woken = state.withLock { state in
            change(&state.queue).compactMap { state.signals[$0] }
        }
        for signal in woken { signal.signal() }
    }
}
