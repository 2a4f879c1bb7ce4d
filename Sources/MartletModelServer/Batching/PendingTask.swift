import MartletCore
import MartletTensors
import Synchronization

/// A task from its submission to its end, gathering the outputs of the batches it is spread over.
final class PendingTask: Sendable {
    private enum State {
        /// Waits or runs; holds the outputs that are there.
        case open(completion: @Sendable (BatchTask.Outcome) -> Void, parts: [Part])
        /// The completion has been called.
        case ended
    }

    /// The outputs of some of the rows.
    private struct Part {
        let rows: Range<Int>
        let tensors: [NamedTensor]
    }

    let inputs: [NamedTensor]
    let outputs: [TensorSpec]
    let deadline: Deadline
    let arrival: ContinuousClock.Instant
    let rows: Int
    /// What an adaptive queue goes by.
    let terms: TaskTerms

    private let state: Mutex<State>

    init(
        _ task: BatchTask, rows: Int, shape: Int = 0, arrival: ContinuousClock.Instant
    ) {
        terms = TaskTerms(
            standing: task.standing, shape: shape, received: task.received,
            deadline: task.deadline)
        inputs = task.inputs
        outputs = task.outputs
        deadline = task.deadline
        self.rows = rows
        self.arrival = arrival
        state = Mutex(.open(completion: task.completion, parts: []))
    }

    /// Whether the completion has been called.
    var isEnded: Bool {
        state.withLock { state in
            if case .ended = state { true } else { false }
        }
    }

    /// Why a task ends that nobody waits for any more.
    var reasonToLeave: ServingError {
        deadline.hasPassed() ? BatchingErrors.expired : BatchingErrors.cancelled
    }

    /// Ends the task; does nothing when it has ended.
    func end(_ outcome: BatchTask.Outcome) {
        let completion = state.withLock { state -> (@Sendable (BatchTask.Outcome) -> Void)? in
            guard case .open(let completion, _) = state else { return nil }
            state = .ended
            return completion
        }
        completion?(outcome)
    }

    /// Takes the outputs of some rows, in the order wanted; ends the task with the last of them.
    func deliver(_ tensors: [NamedTensor], of range: Range<Int>) {
        if range.count == rows {
            end(.success(tensors))
            return
        }
        let parts = state.withLock { state -> [Part]? in
            guard case .open(let completion, var parts) = state else { return nil }
            parts.append(Part(rows: range, tensors: tensors))
            state = .open(completion: completion, parts: parts)
            return parts
        }
        guard let parts, parts.reduce(0, { $0 + $1.rows.count }) == rows else { return }
        end(assemble(parts.sorted { $0.rows.lowerBound < $1.rows.lowerBound }))
    }

    private func assemble(_ parts: [Part]) -> BatchTask.Outcome {
        do {
            return .success(
                try outputs.enumerated().map { index, spec in
                    let tensors = parts.map { $0.tensors[index].tensor }
                    return NamedTensor(name: spec.name, tensor: try Tensor.concatenated(tensors))
                })
        } catch {
            return .failure(
                ServingError(
                    .failedPrecondition,
                    "The outputs of a split request do not fit together: \(error)"))
        }
    }
}
