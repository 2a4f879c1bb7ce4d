import MartletCore
import MartletEngines
import MartletTensors
import MartletTransport

/// Runs predictions, alone or in batches with others.
struct PredictionRunner: Sendable {
    /// Encode the answers of batches, so that batch threads go on with the next.
    let threads: EngineThreads

    /// Runs a prediction and encodes its answer, on the calling thread or later on another.
    ///
    /// - Parameters:
    ///   - prediction: what to run.
    ///   - context: whose request it is.
    ///   - completion: takes the answer, or the error of the engine; called exactly once.
    func run<Response>(
        _ prediction: Prediction<Response>, context: RequestContext,
        completion: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        let queues = prediction.batchQueues
        guard !queues.isEmpty else {
            completion(
                Result {
                    let outputs = Result { try prediction.runAlone() }
                    return try prediction.respond(prediction.explained(outputs).get())
                })
            return
        }
        let joint = JointOutcome(count: queues.count) { outcome in
            respond(to: prediction, outcome, completion)
        }
        for (index, selection) in prediction.selections.enumerated() {
            let task = BatchTask(
                inputs: prediction.inputs, outputs: selection.outputs, deadline: context.deadline
            ) { outcome in
                joint.take(outcome, at: index)
            }
            let ticket = queues[index].submit(task)
            context.cancellation.onCancel { ticket.cancel() }
        }
    }

    private func respond<Response>(
        to prediction: Prediction<Response>, _ outcome: BatchTask.Outcome,
        _ completion: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        let finish: @Sendable () -> Void = {
            completion(
                Result {
                    let outputs = outcome.mapError { $0 as any Error }
                    return try prediction.respond(prediction.explained(outputs).get())
                })
        }
        do {
            try threads.submit(isBounded: false, finish)
        } catch {
            finish()
        }
    }
}

extension Prediction {
    /// Where each signature waits to be run with others; empty where it is to run alone.
    fileprivate var batchQueues: [BatchQueue] {
        let all = lease.loaded.batchQueues
        guard !all.isEmpty, canBatch else { return [] }
        let queues = selections.compactMap { all[$0.signature.name] }
        return queues.count == companions.count + 1 ? queues : []
    }

    /// Whether its inputs have rows, the same number each, that can stand beside those of others.
    private var canBatch: Bool {
        let rows = Set(inputs.map { $0.tensor.shape.dimensions.first })
        return rows.count == 1 && BatchQueue.canBatch(inputs)
    }

    /// Runs all signatures on the calling thread, in one run if the engine can.
    fileprivate func runAlone() throws -> [NamedTensor] {
        let servable = lease.loaded.servable
        guard companions.isEmpty else {
            return try servable.run(selections, inputs: inputs).flatMap(\.self)
        }
        return try servable.run(signature, inputs: inputs, outputs: outputs)
    }

    /// The outcome, with an error that a wrong shape may be behind told in the signature's words
    /// before the engine's.
    fileprivate func explained(
        _ outcome: Result<[NamedTensor], any Error>
    ) -> Result<[NamedTensor], any Error> {
        outcome.mapError { error in
            guard let error = error as? ServingError, error.code == .invalidArgument,
                let fault = signature.shapeFault(in: inputs), !error.message.hasPrefix(fault)
            else { return error }
            return ServingError(error.code, "\(fault). \(error.message)", cause: error.cause)
        }
    }
}
