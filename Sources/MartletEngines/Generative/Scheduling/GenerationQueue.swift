/// Requests that wait, by priority and tenant.
///
/// The highest priority goes first; within it the tenant with the lowest counter of
/// ``TenantCounters``; of a tenant's requests the oldest, after those that were put back.
struct GenerationQueue: Sendable {
    private struct Line: Sendable {
        let tenant: String
        var requests = RequestLine()
    }

    private var lines: [[Line]] = GenerationPriority.allCases.map { _ in [] }
    /// Requests that wait.
    private(set) var count = 0

    /// Adds a request behind the others of its tenant.
    mutating func append(_ id: GenerationID, tenant: String, priority: GenerationPriority) {
        count += 1
        let index = line(of: tenant, priority)
        lines[priority.rawValue][index].requests.append(id)
    }

    /// Puts a request back before the others of its tenant.
    mutating func prepend(_ id: GenerationID, tenant: String, priority: GenerationPriority) {
        count += 1
        let index = line(of: tenant, priority)
        lines[priority.rawValue][index].requests.prepend(id)
    }

    /// The request that is next.
    func next(_ counters: TenantCounters) -> GenerationID? {
        guard let lines = lines.first(where: { !$0.isEmpty }) else { return nil }
        if lines.count == 1 { return lines[0].requests.first }
        var best: (counter: Double, id: GenerationID)?
        for line in lines {
            guard let id = line.requests.first else { continue }
            let counter = counters.counter(of: line.tenant)
            if let best, (best.counter, best.id) <= (counter, id) { continue }
            best = (counter, id)
        }
        return best?.id
    }

    /// Takes a request out.
    mutating func remove(_ id: GenerationID, tenant: String, priority: GenerationPriority) {
        let rank = priority.rawValue
        guard let index = lines[rank].firstIndex(where: { $0.tenant == tenant }),
            lines[rank][index].requests.remove(id)
        else { return }
        count -= 1
        if lines[rank][index].requests.isEmpty {
            lines[rank].swapAt(index, lines[rank].count - 1)
            lines[rank].removeLast()
        }
    }

    private mutating func line(of tenant: String, _ priority: GenerationPriority) -> Int {
        let rank = priority.rawValue
        if let index = lines[rank].firstIndex(where: { $0.tenant == tenant }) { return index }
        lines[rank].append(Line(tenant: tenant))
        return lines[rank].count - 1
    }
}

/// Requests in order; both ends are near.
private struct RequestLine: Sendable {
    private var ids: [GenerationID] = []
    /// Those before it are gone.
    private var head = 0

    var isEmpty: Bool { head == ids.count }
    var first: GenerationID? { isEmpty ? nil : ids[head] }

    mutating func append(_ id: GenerationID) { ids.append(id) }

    mutating func prepend(_ id: GenerationID) {
        guard head > 0 else {
            ids.insert(id, at: 0)
            return
        }
        head -= 1
        ids[head] = id
    }

    /// Whether it was there.
    mutating func remove(_ id: GenerationID) -> Bool {
        guard let place = ids[head...].firstIndex(of: id) else { return false }
        guard place == head else {
            ids.remove(at: place)
            return true
        }
        head += 1
        if head > 32, head * 2 > ids.count {
            ids.removeFirst(head)
            head = 0
        }
        return true
    }
}
