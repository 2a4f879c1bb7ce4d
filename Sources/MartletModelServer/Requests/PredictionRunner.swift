import MartletCore
import MartletEngines
import MartletTensors
import MartletTransport

/// Runs predictions, alone or in batches with others.
struct PredictionRunner: Sendable {
    /// Most bytes of a request that are decoded, or of outputs that are encoded, by whoever has
    /// them: handing less to another thread costs more than the work.
    static let inlineBytesMax = 16 * 1024

    /// Run predictions that are not batched, and encode large answers of batches, so that batch
    /// threads go on with the next.
    let threads: EngineThreads

    /// Runs a prediction and encodes its answer, on the calling thread or later on another.
    ///
    /// - Parameters:
    ///   - prediction: what to run.
    ///   - context: whose request it is.
    ///   - standing: its place among those that wait to be run together.
    ///   - mayBlock: whether the calling thread may run the model.
    ///   - completion: takes the answer, or the error of the engine; called exactly once.
    func run<Response>(
        _ prediction: Prediction<Response>, context: RequestContext,
        standing: TaskStanding = TaskStanding(), mayBlock: Bool,
        completion: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        let queues = prediction.batchQueues
        guard let first = queues.first else {
            runAlone(prediction, context: context, mayBlock: mayBlock, completion: completion)
            return
        }
        guard queues.count > 1 else {
            submit(
                prediction, outputs: prediction.outputs, to: first, context: context,
                standing: standing
            ) { respond(to: prediction, $0, completion) }
            return
        }
        let joint = JointOutcome(count: queues.count) { outcome in
            respond(to: prediction, outcome, completion)
        }
        for (index, selection) in prediction.selections.enumerated() {
            submit(
                prediction, outputs: selection.outputs, to: queues[index], context: context,
                standing: standing
            ) { joint.take($0, at: index) }
        }
    }

    private func submit<Response>(
        _ prediction: Prediction<Response>, outputs: [TensorSpec], to queue: BatchQueue,
        context: RequestContext, standing: TaskStanding,
        completion: @escaping @Sendable (BatchTask.Outcome) -> Void
    ) {
        let ticket = queue.submit(
            BatchTask(
                inputs: prediction.inputs, outputs: outputs, deadline: context.deadline,
                standing: standing, received: context.start, completion: completion))
        context.cancellation.onCancel { ticket.cancel() }
    }

    private func runAlone<Response>(
        _ prediction: Prediction<Response>, context: RequestContext, mayBlock: Bool,
        completion: @escaping @Sendable (Result<Response, any Error>) -> Void
    ) {
        let work: @Sendable () -> Void = {
            completion(
                Result {
                    let outputs = Result { try prediction.runAlone() }
                    return try prediction.respond(prediction.explained(outputs).get())
                })
        }
        guard !mayBlock else { return work() }
        do {
            try threads.submit {
                do {
                    try context.checkStillWanted()
                    work()
                } catch {
                    completion(.failure(error))
                }
            }
        } catch {
            completion(.failure(error))
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
        // An error has none: a refusal must not wait for what it was refused for.
        guard outcome.byteCount > Self.inlineBytesMax else { return finish() }
        do {
            try threads.submit(isBounded: false, finish)
        } catch {
            finish()
        }
    }
}

extension BatchTask.Outcome {
    /// Bytes of the outputs, if there are any.
    fileprivate var byteCount: Int {
        guard case .success(let outputs) = self else { return 0 }
        return outputs.reduce(0) { $0 + $1.tensor.byteCount }
    }
}

extension Prediction {
    /// Where each signature waits to be run with others; empty where it is to run alone.
    fileprivate var batchQueues: [BatchQueue] {
        let all = lease.loaded.batchQueues
        guard !all.isEmpty, canBatch else { return [] }
        if companions.isEmpty { return all[signature.name].map { [$0] } ?? [] }
        let queues = selections.compactMap { all[$0.signature.name] }
        return queues.count == companions.count + 1 ? queues : []
    }

    /// Whether its inputs have rows, the same number each, that can stand beside those of others.
    private var canBatch: Bool {
        let rows = inputs.first?.tensor.shape.dimensions.first
        return inputs.allSatisfy { $0.tensor.shape.dimensions.first == rows }
            && BatchQueue.canBatch(inputs)
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
