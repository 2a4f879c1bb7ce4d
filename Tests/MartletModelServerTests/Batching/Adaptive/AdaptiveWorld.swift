import MartletCore
import MartletTestKit

@testable import MartletModelServer

/// Clients, threads and a clock that behave at random around adaptive queues, and what they see
/// broken.
struct AdaptiveWorld: SimulatedWorld {
    private struct Task {
        let id: TaskID
        let size: Int
        let arrival: ContinuousClock.Instant
        let deadline: Deadline
        let standing: TaskStanding
        let shape: Int
        let due: ContinuousClock.Instant
        var taken = 0
        var hasLeft = false
    }

    /// The tasks among which tenants share equally.
    private struct Line: Hashable {
        let queue: QueueID
        let shape: Int
        let rank: Int
    }

    private struct Run {
        let batch: BatchQueues<Int>.Batch
        let start: ContinuousClock.Instant
        let end: ContinuousClock.Instant
    }

    private struct Queue {
        let limits: QueueLimits
        let target: Duration
        let secondsPerRun: Double
        let secondsPerRow: Double
        var waiting: [Int] = []
        var isClosed = false
        var running = 0
        var runs = 0
    }

    private var queues: BatchQueues<Int>
    private var random: SeededGenerator
    private let capacity: Int
    private let origin = ContinuousClock.now
    private var now: ContinuousClock.Instant
    private var tasks: [Task] = []
    private var world: [QueueID: Queue] = [:]
    private var running: [Run] = []
    /// Rows that tenants were served while the same of them had tasks.
    private var served: [Line: [String: Int]] = [:]

    /// The first promise that was broken.
    private(set) var complaint: String?

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        capacity = Int.random(in: 1...3, using: &random)
        queues = BatchQueues(capacity: capacity)
        now = origin
        for _ in 0..<Int.random(in: 1...2, using: &random) { openQueue() }
    }

    mutating func act() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<11: submit()
        case 11..<18: pass(.microseconds(Int.random(in: 0...8000, using: &random)))
        case 18: cancel()
        default:
            if Int.random(in: 0..<20, using: &random) == 0 { closeAQueue() }
        }
        useThreads()
    }

    /// Lets everything come to its end.
    mutating func settle() {
        for id in sortedQueues where world[id]?.isClosed == false { close(id) }
        for _ in 0..<10_000 where complaint == nil {
            useThreads()
            guard let end = running.map(\.end).min() else { break }
            pass(max(.zero, end - now))
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
        let batchRows = Int.random(in: 1...64, using: &random)
        let splits = Int.random(in: 0..<4, using: &random) == 0
        let target = Duration.milliseconds(Int.random(in: 5...100, using: &random))
        var limits = QueueLimits(
            taskRows: splits ? batchRows * 3 : batchRows, batchRows: batchRows,
            enqueuedBatches: 1, timeout: .zero, splitsTasks: splits)
        limits.adaptive = AdaptiveSettings(target: target)
        world[queues.open(limits)] = Queue(
            limits: limits, target: target,
            secondsPerRun: Double.random(in: 0.0001...0.02, using: &random),
            secondsPerRow: Double.random(in: 0.00001...0.002, using: &random))
    }

    private mutating func submit() {
        guard let id = sortedQueues.randomElement(using: &random), let queue = world[id] else {
            return
        }
        expire()
        let size = Int.random(in: 1...min(8, queue.limits.taskRows), using: &random)
        let patience =
            Int.random(in: 0..<3, using: &random) == 0
            ? Duration.milliseconds(Int.random(in: 1...60, using: &random)) : nil
        let deadline = patience.map { Deadline.after($0, now: now) } ?? .never
        let standing = TaskStanding(
            priority: [.high, .normal, .normal, .low][Int.random(in: 0..<4, using: &random)],
            tenant: ["", "a", "b"][Int.random(in: 0..<3, using: &random)])
        let shape = Int.random(in: 0..<5, using: &random) == 0 ? 1 : 0
        let isIdle = queues.running < capacity && queue.waiting.isEmpty
        do {
            let task = try queues.submit(
                tasks.count, to: id, size: size, deadline: deadline,
                terms: TaskTerms(standing: standing, shape: shape), now: now
            ).task
            require(!queue.isClosed, "a closed queue takes a task")
            let line = Line(queue: id, shape: shape, rank: standing.priority.rank)
            if !tenants(of: line).contains(standing.tenant) { served[line] = [:] }
            world[id]?.waiting.append(tasks.count)
            let target = now + queue.target
            tasks.append(
                Task(
                    id: task, size: size, arrival: now, deadline: deadline, standing: standing,
                    shape: shape, due: min(deadline.instant ?? target, target)))
        } catch let refusal as BatchRefusal {
            require(!queue.isClosed, "a closed queue says that it is busy")
            require(queue.runs >= AdmissionOutlook.runsMinimum, "refused before it knows")
            require(refusal.error.code == .resourceExhausted, "refused with \(refusal.error)")
            require(
                !isIdle || refusal.bound == .deadline, "refused though nothing is in its way")
            require(refusal.bound != .deadline || deadline != .never, "there is no deadline")
        } catch {
            require(queue.isClosed, "\(error)")
        }
    }

    /// Threads take what there is until nothing is left or all are busy.
    private mutating func useThreads() {
        while complaint == nil {
            expire()
            guard queues.running < capacity else { return }
            switch queues.next(now: now) {
            case .run(let batch): take(batch)
            case .wait(let until):
                require(queues.waiting == 0, "a thread waits though tasks do")
                require(until == nil, "a thread wakes for nothing")
                return
            }
        }
    }

    private mutating func pass(_ time: Duration) {
        now += time
        for run in running.filter({ $0.end <= now }) {
            let id = run.batch.queue
            world[id]?.running -= 1
            world[id]?.runs += 1
            let failed = Int.random(in: 0..<16, using: &random) == 0
            let outcome = BatchOutcome(
                executedRows: failed ? nil : run.batch.rows, time: run.end - run.start,
                end: run.end)
            didEnd(id, isDone: queues.didRun(run.batch, outcome))
        }
        running.removeAll { $0.end <= now }
        expire()
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
        let open = sortedQueues.filter { world[$0]?.isClosed == false }
        if let id = open.randomElement(using: &random) { close(id) }
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
        for id in done { didEnd(id, isDone: true) }
    }

    private mutating func leave(_ index: Int) {
        tasks[index].hasLeft = true
        forget(index)
    }

    private mutating func forget(_ index: Int) {
        let task = tasks[index]
        world[task.id.queue]?.waiting.removeAll { $0 == index }
        let line = Line(
            queue: task.id.queue, shape: task.shape, rank: task.standing.priority.rank)
        if !tenants(of: line).contains(task.standing.tenant) { served[line] = [:] }
    }

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
        require(!batch.slices.isEmpty, "an empty batch")
        require(batch.rows <= queue.limits.batchRows, "a batch of \(batch.rows) rows")
        for slice in batch.slices { take(slice, limits: queue.limits) }
        world[batch.queue]?.running += 1
        let noise = Double.random(in: 0.7...1.5, using: &random)
        let seconds =
            (queue.secondsPerRun + queue.secondsPerRow * Double(batch.rows)) * noise
        running.append(Run(batch: batch, start: now, end: now + .seconds(seconds)))
    }

    private mutating func take(_ slice: BatchSlice<Int>, limits: QueueLimits) {
        let index = slice.payload
        let task = tasks[index]
        require(!task.hasLeft, "a task that left runs")
        require(slice.shape == task.shape, "shapes are mixed")
        require(slice.rows.lowerBound == task.taken, "rows are lost or doubled")
        require(!slice.rows.isEmpty && slice.rows.upperBound <= task.size, "rows \(slice.rows)")
        require(limits.splitsTasks || slice.rows.count == task.size, "a task is split")
        require(!task.deadline.hasPassed(now: now), "an expired task runs")
        checkOrder(of: task)
        tasks[index].taken = slice.rows.upperBound
        let line = Line(
            queue: task.id.queue, shape: task.shape, rank: task.standing.priority.rank)
        checkShares(of: task, rows: slice.rows.count, line)
        if slice.rows.upperBound == task.size { forget(index) }
    }

    /// Higher priorities go first, and of a tenant's tasks that which is due first.
    private mutating func checkOrder(of task: Task) {
        for other in world[task.id.queue]?.waiting.map({ tasks[$0] }) ?? []
        where other.shape == task.shape {
            require(
                other.standing.priority >= task.standing.priority, "a lower priority goes first")
            if other.standing == task.standing {
                require(other.due >= task.due, "a task goes before one that is due earlier")
            }
        }
    }

    /// Tenants who all have tasks get equal shares, but for the size of a task or so.
    private mutating func checkShares(of task: Task, rows: Int, _ line: Line) {
        served[line, default: [:]][task.standing.tenant, default: 0] += rows
        let shares = tenants(of: line).map { served[line]?[$0] ?? 0 }
        guard let most = shares.max(), let least = shares.min() else { return }
        require(most - least <= 4 * 8, "a tenant got \(most) rows, another \(least)")
    }

    private func tenants(of line: Line) -> Set<String> {
        Set(
            (world[line.queue]?.waiting ?? []).lazy.map { tasks[$0] }
                .filter { $0.shape == line.shape && $0.standing.priority.rank == line.rank }
                .map(\.standing.tenant))
    }

    private mutating func require(_ holds: Bool, _ otherwise: String) {
        if !holds, complaint == nil { complaint = otherwise }
    }
}
