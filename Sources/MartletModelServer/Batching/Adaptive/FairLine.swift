import HeapModule

/// A task's place among others: the earliest due comes first.
struct TaskPlace: Sendable, Comparable {
    let due: ContinuousClock.Instant
    let number: UInt64

    static func < (left: TaskPlace, right: TaskPlace) -> Bool {
        (left.due, left.number) < (right.due, right.number)
    }
}

/// Tasks of one priority, whose tenants take turns so that each gets an equal share of the rows.
///
/// Of a tenant's tasks the earliest due comes first. Each tenant has a tag, the rows it was served,
/// and the tenant with the lowest goes next (start-time fair queueing). One that had nothing to do
/// begins at the tag of the one that is being served: it gets no credit for its rest, and owes
/// nothing for it.
struct FairLine: Sendable {
    /// What a tenant has waiting.
    fileprivate struct Share {
        var places = Heap<TaskPlace>()
        var tag = 0
        var tasks = 0
        var isInTurns = false
    }

    private struct Turn: Comparable {
        let tag: Int
        let order: Int
        let tenant: String

        static func < (left: Turn, right: Turn) -> Bool {
            (left.tag, left.order) < (right.tag, right.order)
        }
    }

    private var shares: [String: Share] = [:]
    private var turns = Heap<Turn>()
    private var clock = 0
    private var nextOrder = 0

    /// Tasks that wait.
    private(set) var tasks = 0

    /// Adds a task.
    mutating func add(_ place: TaskPlace, tenant: String) {
        tasks += 1
        let needsTurn = shares[tenant, default: Share()].add(place, clock: clock)
        if let needsTurn { addTurn(tag: needsTurn, tenant) }
    }

    /// Notes that a task is gone; its place is given up when it comes to the top.
    mutating func didRemove(tenant: String) {
        tasks -= 1
        shares[tenant]?.tasks -= 1
    }

    /// The place of the task that is next; `nil` when none waits.
    mutating func first(isWaiting: (UInt64) -> Bool) -> TaskPlace? {
        while let turn = turns.min {
            if let place = shares[turn.tenant]?.first(isWaiting) { return place }
            turns.removeMin()
            shares[turn.tenant]?.isInTurns = false
            forget(turn.tenant)
        }
        return nil
    }

    /// Takes rows of the first task, which leaves with the last of them.
    mutating func serve(rows: Int, isLast: Bool) {
        guard let turn = turns.popMin() else { return }
        clock = max(clock, turn.tag)
        if isLast { tasks -= 1 }
        let tag = turn.tag + rows
        if shares[turn.tenant]?.serve(tag: tag, isLast: isLast) == true {
            addTurn(tag: tag, turn.tenant)
        }
    }

    /// How large a share of the places is due no later than an instant, as far as the first and
    /// the last of a tenant tell.
    func shareBefore(_ due: ContinuousClock.Instant, tenant: String) -> Double {
        guard let places = shares[tenant]?.places, let first = places.min?.due,
            let last = places.max?.due
        else { return 1 }
        if due >= last { return 1 }
        if due <= first { return 0 }
        return (due - first) / (last - first)
    }

    // MARK: -

    private mutating func addTurn(tag: Int, _ tenant: String) {
        turns.insert(Turn(tag: tag, order: nextOrder, tenant: tenant))
        nextOrder += 1
    }

    /// Forgets a tenant whose tag says nothing any more.
    private mutating func forget(_ tenant: String) {
        guard let share = shares[tenant], share.tasks == 0, share.tag <= clock else { return }
        shares[tenant] = nil
    }
}

extension FairLine.Share {
    /// Adds a task; gives the tag of a turn that is to be added with it.
    fileprivate mutating func add(_ place: TaskPlace, clock: Int) -> Int? {
        places.insert(place)
        tasks += 1
        guard !isInTurns else { return nil }
        isInTurns = true
        tag = max(tag, clock)
        return tag
    }

    /// The first place whose task waits; gives up those before it, and all that are not needed
    /// when they are most.
    fileprivate mutating func first(_ isWaiting: (UInt64) -> Bool) -> TaskPlace? {
        if places.count > 2 * tasks + 32 {
            places = Heap(places.unordered.filter { isWaiting($0.number) })
        }
        while let place = places.min {
            if isWaiting(place.number) { return place }
            places.removeMin()
        }
        return nil
    }

    /// Takes the first task's rows; whether the tenant wants another turn.
    fileprivate mutating func serve(tag: Int, isLast: Bool) -> Bool {
        self.tag = tag
        if isLast {
            places.removeMin()
            tasks -= 1
        }
        isInTurns = tasks > 0
        return isInTurns
    }
}
