/// How much of a model each tenant was served, so that the least served goes next.
///
/// Virtual token counters (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024):
/// a tenant is charged for its prompts when they begin and for each token that it gets. One that
/// had nothing waiting starts at the lowest counter of those that have: it gets no credit for its
/// rest. So tenants with requests waiting are never served more than a bounded number of tokens
/// apart.
struct TenantCounters: Sendable {
    private struct Entry: Sendable {
        var counter: Double = 0
        /// Requests that wait.
        var waiting = 0
        /// Requests that run.
        var running = 0
    }

    /// Tenants without a request that are remembered.
    static let idleMax = 1024

    private var entries: [String: Entry] = [:]
    /// The counter of the tenant whose request left the queue last.
    private var lastServed: Double = 0

    /// Tenants that are remembered.
    var count: Int { entries.count }

    /// What a tenant was charged, and given for its rests.
    func counter(of tenant: String) -> Double { entries[tenant]?.counter ?? 0 }

    /// A new request waits.
    mutating func didArrive(_ tenant: String) {
        var entry = entries[tenant] ?? Entry()
        if entry.waiting == 0 {
            let others = entries.values.lazy.filter { $0.waiting > 0 }.map(\.counter)
            entry.counter = max(entry.counter, others.min() ?? lastServed)
        }
        entry.waiting += 1
        entries[tenant] = entry
    }

    /// A request leaves the queue, and runs.
    mutating func didBegin(_ tenant: String) {
        lastServed = counter(of: tenant)
        entries[tenant]?.waiting -= 1
        entries[tenant]?.running += 1
    }

    /// A request that ran waits again; it has been charged.
    mutating func didPreempt(_ tenant: String) {
        entries[tenant]?.waiting += 1
        entries[tenant]?.running -= 1
    }

    /// A request that ran has ended.
    mutating func didEnd(_ tenant: String) {
        entries[tenant]?.running -= 1
        forgetIdle()
    }

    /// A request that waited has ended.
    mutating func didLeave(_ tenant: String) {
        entries[tenant]?.waiting -= 1
        forgetIdle()
    }

    /// A tenant was served.
    mutating func charge(_ tenant: String, _ cost: Double) {
        entries[tenant]?.counter += cost
    }

    /// Who comes back after so many others starts like anybody new.
    private mutating func forgetIdle() {
        guard entries.count > Self.idleMax else { return }
        entries = entries.filter { $0.value.waiting > 0 || $0.value.running > 0 }
    }
}
