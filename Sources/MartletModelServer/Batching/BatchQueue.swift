import MartletCore
public import MartletTensors

/// Where the requests for one signature of a servable wait to be run together.
///
/// It is made by ``BatchScheduler/makeQueue(name:parameters:run:)`` and closes when the last
/// reference to it goes.
public final class BatchQueue: Sendable {
    /// How measurements name it.
    public let label: BatchQueueLabel

    /// How it forms batches.
    public let parameters: BatchingParameters

    private let pool: BatchPool
    private let id: QueueID
    private let observer: (any BatchObserver)?

    init(
        label: BatchQueueLabel, parameters: BatchingParameters, pool: BatchPool, id: QueueID,
        observer: (any BatchObserver)?
    ) {
        self.label = label
        self.parameters = parameters
        self.pool = pool
        self.id = id
        self.observer = observer
    }

    deinit { close() }

    /// Whether a request can share a run with others: it has inputs, all of them have a dimension
    /// to concatenate along, and there is at least one row.
    ///
    /// Others must be run alone. Inputs with different numbers of rows are another matter: they are
    /// refused by ``submit(_:)``, as TensorFlow Serving refuses them.
    public static func canBatch(_ inputs: [NamedTensor]) -> Bool {
        !inputs.isEmpty && inputs.allSatisfy { ($0.tensor.shape.dimensions.first ?? 0) > 0 }
    }

    /// Queues a task.
    ///
    /// A task that is not taken has ended when this returns: its completion was called with
    /// `INVALID_ARGUMENT` (rows missing, unequal or too many), `UNAVAILABLE` (the queue is full or
    /// closed), `DEADLINE_EXCEEDED`, or `RESOURCE_EXHAUSTED` (an adaptive queue could not answer in
    /// time).
    ///
    /// - Parameter task: the request; its completion is called exactly once.
    /// - Returns: what takes the task back.
    @discardableResult
    public func submit(_ task: BatchTask) -> BatchTicket {
        do {
            let rows = try BatchInputs.rowCount(of: task.inputs)
            let pending = PendingTask(task, rows: rows, shape: shape(of: task), arrival: .now)
            let id = try pool.submit(pending, to: id)
            observer?.didEnqueue(rows: rows, in: label)
            return BatchTicket { [pool] in
                pool.cancel(id)
                pending.end(.failure(pending.reasonToLeave))
            }
        } catch let refusal as BatchRefusal {
            observer?.didRefuse(bound: refusal.bound.rawValue, in: label)
            task.completion(.failure(refusal.error))
            return BatchTicket()
        } catch {
            task.completion(
                .failure(
                    error as? ServingError
                        ?? ServingError(.internal, "Queuing failed: \(error)", cause: error)))
            return BatchTicket()
        }
    }

    /// Only an adaptive queue keeps shapes apart; another finds out when a batch is put together.
    private func shape(of task: BatchTask) -> Int {
        guard parameters.targetLatency != nil else { return 0 }
        return RowShape.key(of: task.inputs, isPadded: parameters.padVariableLengthInputs)
    }

    /// Tasks that wait.
    public var queuedTasks: Int { pool.length(of: id).tasks }

    /// Rows of the tasks that wait.
    public var queuedRows: Int { pool.length(of: id).rows }

    /// Takes no more tasks and runs those it has without waiting for more; never blocks.
    ///
    /// - Parameter whenDrained: called once, when no task is queued or running any more; at once
    ///   when that is so already. The run it was made with is not called afterwards.
    public func close(whenDrained: @escaping @Sendable () -> Void = {}) {
        pool.close(id, whenDrained: whenDrained)
    }
}
