import DequeModule
import MartletCore

/// The tasks of one queue in order of arrival; says which would make up the next batch and when.
///
/// It knows no threads and no other queues.
struct TaskQueue<Payload: Sendable>: Sendable {
    /// A task that waits, or the rest of one.
    struct Entry: Sendable {
        let number: UInt64
        let payload: Payload
        let size: Int
        let arrival: ContinuousClock.Instant
        let batch: EnqueuedBatches.Number
        /// Rows that have gone to earlier batches.
        var taken = 0
        /// Whether it left before its turn; its place is cleared later.
        var isGone = false

        var remaining: Int { size - taken }
    }

    private let limits: QueueLimits
    private var entries: Deque<Entry> = []
    private var batches: EnqueuedBatches

    /// Tasks that wait.
    private(set) var tasks = 0
    /// Rows of the tasks that wait.
    private(set) var rows = 0
    /// Whether it takes no more tasks.
    var isClosed = false

    init(limits: QueueLimits) {
        self.limits = limits
        batches = EnqueuedBatches(
            batchRows: limits.batchRows, maximum: limits.enqueuedBatches)
    }

    /// Whether nothing waits.
    var isEmpty: Bool { tasks == 0 }

    /// When the next batch may run; `nil` when nothing waits.
    ///
    /// An instant that has passed, or that of the oldest task's arrival, means at once.
    var readyAt: ContinuousClock.Instant? {
        guard let oldest = entries.first else { return nil }
        let isFull = isClosed || rows >= limits.batchRows
        return isFull ? oldest.arrival : oldest.arrival.advanced(by: limits.timeout)
    }

    /// Appends a task.
    ///
    /// - Throws: `ServingError` with TensorFlow Serving's messages when it is too large or the
    ///   queue is full.
    mutating func append(
        _ payload: Payload, number: UInt64, size: Int, now: ContinuousClock.Instant
    ) throws {
        let batch = try admit(size)
        entries.append(
            Entry(number: number, payload: payload, size: size, arrival: now, batch: batch))
        tasks += 1
        rows += size
    }

    /// Takes out a task that waits; `nil` when it does not.
    mutating func remove(number: UInt64) -> Payload? {
        guard let index = index(of: number), !entries[index].isGone else { return nil }
        let entry = entries[index]
        entries[index].isGone = true
        tasks -= 1
        rows -= entry.remaining
        batches.remove(rows: entry.remaining, from: entry.batch)
        clear()
        return entry.payload
    }

    /// Whether a task waits, wholly or in part.
    func contains(number: UInt64) -> Bool {
        index(of: number).map { !entries[$0].isGone } ?? false
    }

    /// Takes out the next batch.
    mutating func takeBatch() -> [BatchSlice<Payload>] {
        var slices: [BatchSlice<Payload>] = []
        var room = limits.batchRows
        while let entry = entries.first, room > 0 {
            guard limits.splitsTasks || entry.remaining <= room else { break }
            let count = min(entry.remaining, room)
            let end = entry.taken + count
            slices.append(BatchSlice(payload: entry.payload, rows: entry.taken..<end))
            room -= count
            rows -= count
            batches.remove(rows: count, from: entry.batch)
            if end == entry.size {
                entries.removeFirst()
                tasks -= 1
                clear()
            } else {
                entries[entries.startIndex].taken = end
            }
        }
        return slices
    }

    private mutating func admit(_ size: Int) throws -> EnqueuedBatches.Number {
        try limits.check(size: size)
        if limits.splitsTasks {
            let capacity = limits.rowCapacity - rows
            guard size <= capacity else {
                throw full("task size is \(size) but scheduling capacity is only \(capacity)")
            }
            return 0
        }
        guard let batch = batches.add(rows: size) else {
            throw full(
                "currently \(batches.count) batches enqueued and max_enqueued_batches is "
                    + "\(limits.enqueuedBatches)")
        }
        return batch
    }

    private func full(_ detail: String) -> ServingError {
        ServingError(
            .unavailable,
            "The batch scheduling queue to which this task was submitted is full; \(detail)")
    }

    /// Entries stand in order of their numbers.
    private func index(of number: UInt64) -> Int? {
        var range = entries.startIndex..<entries.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if entries[middle].number == number { return middle }
            range =
                entries[middle].number < number
                ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }

    /// Gives up the places of tasks that are gone: at the front at once, elsewhere when they are
    /// most.
    private mutating func clear() {
        while entries.first?.isGone == true { entries.removeFirst() }
        if entries.count > 2 * tasks + 32 { entries.removeAll(where: \.isGone) }
    }
}

/// Rows of a task that run together in one batch.
struct BatchSlice<Payload: Sendable>: Sendable {
    let payload: Payload
    let rows: Range<Int>
    /// What its task has in common with those it may share a batch with, in an adaptive queue.
    var shape = 0
    /// When the task should be answered, in an adaptive queue, if this is the rest of it.
    var target: ContinuousClock.Instant?
}

/// The bounds of a queue.
struct QueueLimits: Sendable, Equatable {
    /// Most rows of one task.
    let taskRows: Int
    /// Most rows of one batch.
    let batchRows: Int
    /// Batches that may wait.
    let enqueuedBatches: Int
    /// How long the oldest task may wait for its batch to fill.
    let timeout: Duration
    /// Whether a task may be spread over several batches.
    let splitsTasks: Bool
    /// What an adaptive queue is told, which heeds only the bounds on rows; `nil` for one that goes
    /// by all of these.
    var adaptive: AdaptiveSettings?

    /// Refuses a task that has no rows or too many.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`), with TensorFlow Serving's message where it
    ///   has one.
    func check(size: Int) throws {
        guard size > 0 else {
            throw ServingError.invalidArgument("A task without rows cannot be batched")
        }
        guard size <= taskRows else {
            throw ServingError.invalidArgument(
                "Task size \(size) is larger than maximum input batch size \(taskRows)")
        }
    }

    /// Rows that may wait where tasks are split.
    var rowCapacity: Int {
        let (capacity, overflow) = batchRows.multipliedReportingOverflow(by: enqueuedBatches)
        return overflow ? .max : capacity
    }
}

extension QueueLimits {
    /// The bounds that parameters set, which have been validated.
    init(_ parameters: BatchingParameters) {
        taskRows = parameters.maxBatchSize
        batchRows = parameters.executionBatchSize
        enqueuedBatches = max(1, parameters.maxEnqueuedBatches)
        timeout = .microseconds(parameters.batchTimeoutMicros)
        splitsTasks = parameters.enableLargeBatchSplitting
        adaptive = parameters.targetLatency.map {
            AdaptiveSettings(target: $0, allowedBatchSizes: parameters.allowedBatchSizes)
        }
    }
}
