public import MartletCore
public import MartletTensors

/// A request for a signature that may share a run with others.
public struct BatchTask: Sendable {
    /// What comes of it: the outputs in the order wanted, or why there are none.
    public typealias Outcome = Result<[NamedTensor], ServingError>

    /// Validated, in the order of the signature's inputs.
    public let inputs: [NamedTensor]

    /// The outputs wanted, a selection of the signature's.
    public let outputs: [TensorSpec]

    /// When the client stops waiting; a task that still waits then never reaches the engine.
    public let deadline: Deadline

    /// Its priority and its tenant, which an adaptive queue goes by.
    public let standing: TaskStanding

    /// When the client's request arrived, from which its latency counts; `nil` where that is the
    /// moment it is queued.
    public let received: ContinuousClock.Instant?

    /// Called exactly once, on whatever thread ends the task.
    ///
    /// That is a batch thread, or the one that submits or cancels. It must not block.
    public let completion: @Sendable (Outcome) -> Void

    /// Creates a task.
    public init(
        inputs: [NamedTensor], outputs: [TensorSpec], deadline: Deadline,
        standing: TaskStanding = TaskStanding(), received: ContinuousClock.Instant? = nil,
        completion: @escaping @Sendable (Outcome) -> Void
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.deadline = deadline
        self.standing = standing
        self.received = received
        self.completion = completion
    }
}

/// A task that was submitted, for those who may want to take it back.
public struct BatchTicket: Sendable {
    private let action: @Sendable () -> Void

    init(cancel action: @escaping @Sendable () -> Void = {}) { self.action = action }

    /// Ends the task with `CANCELLED` unless it has ended.
    ///
    /// If it waits, the engine never sees it; if it is running, its result is thrown away.
    public func cancel() { action() }
}
