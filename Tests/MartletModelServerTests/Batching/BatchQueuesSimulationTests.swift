import MartletCore
import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Batch queues, by the thousand")
struct BatchQueuesSimulationTests {
    @Test(arguments: [true, false])
    func randomTasksThreadsAndTimes_keepEveryPromise(isCalm: Bool) {
        let complaint = SimulationSeeds.complaint(first: 5000, acts: 150) {
            BatchWorld(seed: $0, isCalm: isCalm)
        }
        #expect(complaint == nil)
    }
}

/// Clients, threads and a clock that behave at random, and what they see broken.
///
/// In a calm world no task expires or is cancelled, so that the bound on batches can be counted
/// exactly.
private struct BatchWorld: SimulatedWorld {
    private struct Task {
        let id: TaskID
        let size: Int
        let arrival: ContinuousClock.Instant
        let deadline: Deadline
        var taken = 0
        var hasLeft = false
    }

    private struct Queue {
        let id: QueueID
        let limits: QueueLimits
        /// Places in ``tasks`` of those that wait, in order of arrival.
        var waiting: [Int] = []
        var isClosed = false
        var running = 0
        /// Queues served since the batch of this one might run.
        var passedBy: Set<QueueID>?
    }

    private var queues: BatchQueues<Int>
    private var random: SeededGenerator
    private let isCalm: Bool
    private let capacity: Int
    private var now = ContinuousClock.now
    private var tasks: [Task] = []
    private var world: [QueueID: Queue] = [:]
    private var running: [BatchQueues<Int>.Batch] = []

    /// The first promise that was broken.
    private(set) var complaint: String?

    init(seed: UInt64, isCalm: Bool) {
        random = SeededGenerator(seed: seed)
        self.isCalm = isCalm
        capacity = Int.random(in: 1...3, using: &random)
        queues = BatchQueues(capacity: capacity)
        for _ in 0..<Int.random(in: 1...4, using: &random) { openQueue() }
    }

    mutating func act() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<8: submit()
        case 8..<13: askForWork()
        case 13..<16: finishABatch()
        case 16, 17: now += .milliseconds(Int.random(in: 0...8, using: &random))
        case 18: if !isCalm { cancel() }
        default: if Int.random(in: 0..<10, using: &random) == 0 { closeAQueue() }
        }
    }

    /// Lets everything come to its end.
    mutating func settle() {
        for id in sortedQueues where world[id]?.isClosed == false { close(id) }
        for _ in 0..<10_000 where complaint == nil {
            guard !world.isEmpty else { break }
            askForWork()
            finishABatch()
        }
        guard complaint == nil else { return }
        require(world.isEmpty, "queues never become empty")
        require(queues.waiting == 0 && queues.running == 0, "it never comes to rest")
        for task in tasks {
            require(task.hasLeft || task.taken == task.size, "task \(task.id.number) is lost")
        }
    }

    // MARK: Events

    private var sortedQueues: [QueueID] { world.keys.sorted { $0.number < $1.number } }

    private mutating func openQueue() {
        let batchRows = Int.random(in: 1...6, using: &random)
        let splits = Bool.random(using: &random)
        let limits = QueueLimits(
            taskRows: splits ? batchRows * 3 : batchRows, batchRows: batchRows,
            enqueuedBatches: Int.random(in: 1...4, using: &random),
            timeout: .milliseconds(Int.random(in: 0...3, using: &random) * 5),
            splitsTasks: splits)
        let id = queues.open(limits)
        world[id] = Queue(id: id, limits: limits)
    }

    private mutating func submit() {
        guard let id = sortedQueues.randomElement(using: &random), let queue = world[id] else {
            return
        }
        expire()
        let size = Int.random(in: 1...(queue.limits.taskRows + 1), using: &random)
        let hasDeadline = !isCalm && Bool.random(using: &random)
        let deadline =
            hasDeadline
            ? Deadline.after(.milliseconds(Int.random(in: 0...20, using: &random)), now: now)
            : .never
        let waitsFor = queueWork(of: id)
        do {
            let (task, attention) = try queues.submit(
                tasks.count, to: id, size: size, deadline: deadline, now: now)
            require(!queue.isClosed, "a closed queue takes a task")
            require(size <= queue.limits.taskRows, "a task of \(size) rows is taken")
            require(!deadline.hasPassed(now: now), "an expired task is taken")
            world[id]?.waiting.append(tasks.count)
            tasks.append(Task(id: task, size: size, arrival: now, deadline: deadline))
            checkCapacity(of: id)
            checkAttention(attention, deadline: deadline, queue: id, before: waitsFor)
        } catch let error as ServingError {
            checkRefusal(error, of: queue, size: size, deadline: deadline)
        } catch {
            complaint = "\(error)"
        }
    }

    private mutating func askForWork() {
        expire()
        noteReadyQueues()
        switch queues.next(now: now) {
        case .run(let batch): take(batch)
        case .wait(let until): checkWait(until)
        }
    }

    private mutating func finishABatch() {
        guard !running.isEmpty else { return }
        let batch = running.remove(at: Int.random(in: running.indices, using: &random))
        world[batch.queue]?.running -= 1
        didEnd(batch.queue, isDone: queues.didRun(batch))
    }

    private mutating func cancel() {
        guard let index = tasks.indices.randomElement(using: &random) else { return }
        let task = tasks[index]
        let waits = !task.hasLeft && task.taken < task.size
        let (payload, isDone) = queues.cancel(task.id)
        require(payload == (waits ? index : nil), "cancelling \(task.id.number) left \(waits)")
        if waits { leave(index) }
        didEnd(task.id.queue, isDone: isDone)
    }

    private mutating func closeAQueue() {
        guard
            let id = sortedQueues.filter({ world[$0]?.isClosed == false })
                .randomElement(using: &random)
        else { return }
        close(id)
    }

    private mutating func close(_ id: QueueID) {
        world[id]?.isClosed = true
        didEnd(id, isDone: queues.close(id))
    }

    private mutating func expire() {
        let (payloads, done) = queues.removeExpired(now: now)
        for index in payloads {
            require(tasks[index].deadline.hasPassed(now: now), "a task expires too early")
            require(!tasks[index].hasLeft, "a task expires twice")
            leave(index)
        }
        for queue in world.values {
            let late = queue.waiting.contains { tasks[$0].deadline.hasPassed(now: now) }
            require(!late, "an expired task still waits")
        }
        for id in done { didEnd(id, isDone: true) }
    }

    private mutating func leave(_ index: Int) {
        tasks[index].hasLeft = true
        world[tasks[index].id.queue]?.waiting.removeAll { $0 == index }
        noteReadyQueues()
    }

    /// The core must say that a queue is done exactly when it is closed, empty and idle.
    private mutating func didEnd(_ id: QueueID, isDone: Bool) {
        guard let queue = world[id] else {
            require(!isDone, "a queue is done twice")
            return
        }
        let expected = queue.isClosed && queue.waiting.isEmpty && queue.running == 0
        require(isDone == expected, "queue \(id.number) done: \(isDone), not \(expected)")
        if isDone { world[id] = nil }
    }

    // MARK: Promises

    private mutating func take(_ batch: BatchQueues<Int>.Batch) {
        guard let queue = world[batch.queue] else {
            require(false, "a batch comes from a queue that is done")
            return
        }
        require(running.count < capacity, "more batches run than may")
        require(!batch.slices.isEmpty, "an empty batch")
        require(batch.rows <= queue.limits.batchRows, "a batch of \(batch.rows) rows")
        require(isReady(queue), "a batch runs too early")
        for slice in batch.slices { take(slice, limits: queue.limits) }
        let next = world[batch.queue]?.waiting.first.map { tasks[$0].size - tasks[$0].taken }
        if let next {
            let room = queue.limits.batchRows - batch.rows
            require(
                queue.limits.splitsTasks ? room == 0 : next > room, "a batch left room unused")
        }
        for other in world.keys where other != batch.queue {
            guard world[other]?.passedBy != nil else { continue }
            let isFirst = world[other]?.passedBy?.insert(batch.queue).inserted == true
            require(isFirst, "queue \(batch.queue.number) is served twice before \(other.number)")
        }
        world[batch.queue]?.passedBy = nil
        world[batch.queue]?.running += 1
        running.append(batch)
    }

    private mutating func take(_ slice: BatchSlice<Int>, limits: QueueLimits) {
        let index = slice.payload
        let task = tasks[index]
        let first = world[task.id.queue]?.waiting.first
        require(first == index, "task \(task.id.number) runs out of turn")
        require(slice.rows.lowerBound == task.taken, "rows are lost or doubled")
        require(!slice.rows.isEmpty && slice.rows.upperBound <= task.size, "rows \(slice.rows)")
        require(limits.splitsTasks || slice.rows.count == task.size, "a task is split")
        require(!task.deadline.hasPassed(now: now), "an expired task runs")
        tasks[index].taken = slice.rows.upperBound
        if slice.rows.upperBound == task.size { world[task.id.queue]?.waiting.removeFirst() }
    }

    private func rows(of queue: Queue) -> Int {
        queue.waiting.reduce(0) { $0 + tasks[$1].size - tasks[$1].taken }
    }

    private func isReady(_ queue: Queue) -> Bool {
        queueWork(of: queue.id).map { $0 <= now } ?? false
    }

    /// When the queue's next batch may run.
    private func queueWork(of id: QueueID) -> ContinuousClock.Instant? {
        guard let queue = world[id], let oldest = queue.waiting.first else { return nil }
        let isFull = queue.isClosed || rows(of: queue) >= queue.limits.batchRows
        return isFull ? tasks[oldest].arrival : tasks[oldest].arrival + queue.limits.timeout
    }

    /// Counts from when a queue's batch may run, and anew if it no longer may because tasks left.
    private mutating func noteReadyQueues() {
        for id in world.keys {
            guard let queue = world[id] else { continue }
            let passedBy = isReady(queue) ? queue.passedBy ?? [] : nil
            world[id]?.passedBy = passedBy
        }
    }

    private mutating func checkWait(_ until: ContinuousClock.Instant?) {
        var due = world.values.flatMap(\.waiting).compactMap { tasks[$0].deadline.instant }
        if running.count < capacity { due += world.keys.compactMap { queueWork(of: $0) } }
        require(until == due.min(), "a thread waits until the wrong time")
        if let until { require(until > now, "a thread waits though there is work") }
    }

    private mutating func checkAttention(
        _ attention: ContinuousClock.Instant?, deadline: Deadline, queue id: QueueID,
        before: ContinuousClock.Instant?
    ) {
        var due = [deadline.instant].compactMap(\.self)
        if running.count < capacity, let work = queueWork(of: id), before != work {
            due.append(work)
        }
        guard let earliest = due.min() else { return }
        require(attention.map { $0 <= earliest } ?? false, "nobody looks when a task needs it")
    }

    private mutating func checkCapacity(of id: QueueID) {
        guard let queue = world[id] else { return }
        let limit = queue.limits.batchRows * queue.limits.enqueuedBatches
        require(rows(of: queue) <= limit, "\(rows(of: queue)) rows wait, more than \(limit)")
        let length = queues.length(of: id)
        require(length == (queue.waiting.count, rows(of: queue)), "the length is \(length)")
        if isCalm, !queue.limits.splitsTasks {
            let count = batchCount(queue.waiting.map { tasks[$0].size }, queue.limits)
            require(count <= queue.limits.enqueuedBatches, "\(count) batches wait")
        }
    }

    private mutating func checkRefusal(
        _ error: ServingError, of queue: Queue, size: Int, deadline: Deadline
    ) {
        switch error.code {
        case .invalidArgument:
            require(size > queue.limits.taskRows, "a task that fits is refused: \(error)")
        case .deadlineExceeded:
            require(deadline.hasPassed(now: now), "a task is refused before its deadline")
        case .unavailable:
            guard !queue.isClosed else { return }
            if queue.limits.splitsTasks {
                let limit = queue.limits.batchRows * queue.limits.enqueuedBatches
                require(rows(of: queue) + size > limit, "a task is refused though there is room")
            } else if isCalm {
                let sizes = queue.waiting.map { tasks[$0].size } + [size]
                let count = batchCount(sizes, queue.limits)
                require(count > queue.limits.enqueuedBatches, "refused at \(count) batches")
            } else {
                require(queue.waiting.count >= queue.limits.enqueuedBatches, "refused too early")
            }
        default:
            require(false, "refused with \(error)")
        }
    }

    /// The batches that tasks make up which are put together in order.
    private func batchCount(_ sizes: [Int], _ limits: QueueLimits) -> Int {
        var count = 0
        var room = 0
        for size in sizes {
            if size > room {
                count += 1
                room = limits.batchRows
            }
            room -= size
        }
        return count
    }

    private mutating func require(_ holds: Bool, _ otherwise: String) {
        if !holds, complaint == nil { complaint = otherwise }
    }
}
