import MartletCore
import MartletTelemetry

/// How requests are put into batches: TensorFlow Serving's `BatchingParameters`, with its names
/// and defaults.
public struct BatchingParameters: Sendable, Equatable {
    /// Most rows of one request and, unless large requests are split, of one batch
    /// (`max_batch_size`).
    public var maxBatchSize = 1000

    /// How long the oldest task may wait for its batch to fill, in microseconds
    /// (`batch_timeout_micros`).
    public var batchTimeoutMicros = 0

    /// Batches that may wait in one queue (`max_enqueued_batches`).
    ///
    /// Zero means one, as it does to TensorFlow Serving, unless large requests are split.
    public var maxEnqueuedBatches = 10

    /// Batches that run at once in the pool (`num_batch_threads`); the number of cores that
    /// the process may use.
    ///
    /// Of the queues that share a pool the one that asks for most decides.
    public var numBatchThreads = ProcessorAllowance.ofProcess.cores

    /// The pool of threads, which queues that name the same one share (`thread_pool_name`).
    public var threadPoolName = "batch_threads"

    /// Whether a request is spread over several batches where it does not fit into one
    /// (`enable_large_batch_splitting`).
    public var enableLargeBatchSplitting = false

    /// Most rows of one batch where large requests are split; `nil` is ``maxBatchSize``
    /// (`max_execution_batch_size`).
    public var maxExecutionBatchSize: Int?

    /// The sizes of batches the model sees, in increasing order; any size when empty
    /// (`allowed_batch_sizes`).
    public var allowedBatchSizes: [Int] = []

    /// Whether requests of different lengths are made equally long (`pad_variable_length_inputs`).
    public var padVariableLengthInputs = false

    /// The latency that 99 of 100 answers are to keep: batches are formed so as to keep it, by
    /// what has been learned of the model; `nil` to form them by the other parameters alone.
    ///
    /// ``batchTimeoutMicros`` and ``maxEnqueuedBatches`` have no meaning then.
    public var targetLatency: Duration?

    /// The defaults.
    public init() {}
}

extension BatchingParameters {
    /// Target latencies that can be asked for, in milliseconds.
    public static let targetMillisecondsRange = 1...600_000

    /// Most threads one pool may be given.
    public static let threadsMaximum = 1024

    /// Most rows of one batch.
    public var executionBatchSize: Int {
        enableLargeBatchSplitting ? maxExecutionBatchSize ?? maxBatchSize : maxBatchSize
    }

    /// The size the model sees a batch of so many rows in: the smallest that is allowed.
    public func paddedSize(of rows: Int) -> Int {
        allowedBatchSizes.first { $0 >= rows } ?? rows
    }

    /// Checks the parameters against each other.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) with TensorFlow Serving's message where it
    ///   has one.
    public func validate() throws {
        try require(maxBatchSize > 0, "max_batch_size must be positive; was \(maxBatchSize)")
        // Without splitting it has no effect; a size that is none is a mistake all the same.
        let size = maxExecutionBatchSize ?? maxBatchSize
        try require(size > 0, "max_execution_batch_size must be positive; was \(size)")
        try require(
            batchTimeoutMicros >= 0,
            "batch_timeout_micros must be non-negative; was \(batchTimeoutMicros)")
        try require(
            maxEnqueuedBatches >= 0,
            "max_enqueued_batches must be non-negative; was \(maxEnqueuedBatches)")
        try require(
            !enableLargeBatchSplitting || maxEnqueuedBatches > 0,
            "max_enqueued_batches must be positive; was \(maxEnqueuedBatches)")
        try require(
            numBatchThreads > 0, "num_batch_threads must be positive; was \(numBatchThreads)")
        try require(
            numBatchThreads <= Self.threadsMaximum,
            "num_batch_threads must be at most \(Self.threadsMaximum); was \(numBatchThreads)")
        if let targetLatency {
            let range = Self.targetMillisecondsRange
            try require(
                targetLatency >= .milliseconds(range.lowerBound)
                    && targetLatency <= .milliseconds(range.upperBound),
                "target_latency_ms_p99 must be from \(range.lowerBound) to \(range.upperBound); "
                    + "was \(targetLatency.seconds * 1000)")
        }
        if enableLargeBatchSplitting { try validateSplitting() }
        try validateAllowedSizes()
    }

    private func validateSplitting() throws {
        try require(
            executionBatchSize <= maxBatchSize,
            "When enable_large_batch_splitting is true, max_batch_size must be greater than or "
                + "equal to max_execution_batch_size; max_batch_size was \(maxBatchSize), "
                + "max_execution_batch_size \(executionBatchSize)")
    }

    private func validateAllowedSizes() throws {
        guard let last = allowedBatchSizes.last else { return }
        try require(
            allowedBatchSizes.allSatisfy { $0 > 0 },
            "allowed_batch_sizes entries must be positive; were \(allowedBatchSizes)")
        try require(
            zip(allowedBatchSizes, allowedBatchSizes.dropFirst()).allSatisfy { $0 < $1 },
            "allowed_batch_sizes entries must be monotonically increasing")
        try require(
            last == executionBatchSize,
            enableLargeBatchSplitting
                ? "Last entry in allowed_batch_sizes must be equal to max_execution_batch_size; "
                    + "last entry was \(last); expected \(executionBatchSize)"
                : "Last entry in allowed_batch_sizes must match max_batch_size; "
                    + "last entry was \(last); expected \(executionBatchSize)")
    }

    private func require(_ holds: Bool, _ message: String) throws {
        guard holds else { throw ServingError.invalidArgument(message) }
    }
}
