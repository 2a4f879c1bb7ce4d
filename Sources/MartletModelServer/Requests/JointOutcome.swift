import MartletCore
import MartletTensors
import Synchronization

/// Gathers what comes of the tasks of one request, one for each signature that it runs.
final class JointOutcome: Sendable {
    private let outcomes: Mutex<[BatchTask.Outcome?]>
    private let completion: @Sendable (BatchTask.Outcome) -> Void

    /// Creates a collection.
    ///
    /// - Parameters:
    ///   - count: how many tasks there are; at least one.
    ///   - completion: takes the outputs of all tasks in their order, or the error of the first
    ///     that failed; called once, on the thread that ends the last task.
    init(count: Int, completion: @escaping @Sendable (BatchTask.Outcome) -> Void) {
        outcomes = Mutex(Array(repeating: nil, count: count))
        self.completion = completion
    }

    /// Takes the outcome of a task.
    func take(_ outcome: BatchTask.Outcome, at index: Int) {
        let all = outcomes.withLock { outcomes in
            outcomes[index] = outcome
            let ended = outcomes.compactMap(\.self)
            return ended.count == outcomes.count ? ended : nil
        }
        guard let all else { return }
        completion(
            Result { () throws(ServingError) in
                var outputs: [NamedTensor] = []
                for outcome in all { outputs += try outcome.get() }
                return outputs
            })
    }
}
