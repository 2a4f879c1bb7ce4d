import MartletCore

/// Decides what is told of lookup after lookup, and when the next one is due.
///
/// Functional core: it looks nothing up, and knows no clock.
struct DNSWatch: Sendable {
    /// What the log has to say.
    enum News: Sendable, Hashable {
        /// No lookup works from now on, and the endpoints stay as they are, so many.
        case failing(DNSTrouble, endpoints: Int)
        /// Lookups work but for a part, whose endpoints stay as they are; so many there are of all.
        case incomplete(DNSTrouble, endpoints: Int)
        /// All is well again, with so many endpoints.
        case recovered(endpoints: Int)
    }

    /// What is to be done after a lookup.
    struct Step: Sendable {
        /// What is told to whoever follows the endpoints; nil for nothing.
        var result: Result<EndpointSet, DNSTrouble>?
        /// What is logged; nil for nothing.
        var news: News?
    }

    /// What has been told last, as far as it matters for the next.
    private enum Condition: Hashable {
        case good
        case incomplete
        /// Nobody could answer.
        case unavailable
        /// Somebody answered, and there is nothing.
        case empty
    }

    private let refreshInterval: Duration
    private let retryInterval: Duration
    private var generator: SplitMix
    private var endpoints: EndpointSet?
    private var condition = Condition.good
    private var failures = 0

    /// Nothing is looked up yet.
    ///
    /// - Parameters:
    ///   - refreshInterval: from the end of one lookup to the next.
    ///   - retryInterval: the same after the first that failed, if that is shorter; it doubles with
    ///     each further one.
    ///   - seed: of the random part of both.
    init(refreshInterval: Duration, retryInterval: Duration = .seconds(1), seed: UInt64) {
        self.refreshInterval = refreshInterval
        self.retryInterval = retryInterval
        generator = SplitMix(seed: seed)
    }

    /// Takes in what a lookup found.
    mutating func take(_ finding: DNSFinding) -> Step {
        guard let found = finding.endpoints else {
            failures += 1
            return fail(finding.trouble)
        }
        failures = 0
        var step = Step()
        // After a failure it is told again, so that a reader who is late still finds it.
        if found != endpoints || isFailing { step.result = .success(found) }
        endpoints = found
        if let trouble = finding.trouble {
            if change(to: .incomplete) { step.news = .incomplete(trouble, endpoints: found.count) }
        } else if change(to: .good) {
            step.news = .recovered(endpoints: found.count)
        }
        return step
    }

    /// Notes that a lookup takes longer than it may; what it finds is still taken in.
    mutating func noteDelay(of name: String) -> Step {
        fail(DNSTrouble(name: name, failure: .timedOut))
    }

    /// The pause before the next lookup: up to a tenth shorter or longer than it should be, so that
    /// gateways do not ask in step.
    mutating func nextPause() -> Duration {
        let pause: Duration
        if failures > 0 {
            // Doubled no more than is enough for any interval.
            pause = min(refreshInterval, retryInterval * (1 << min(failures - 1, 20)))
        } else {
            pause = refreshInterval
        }
        return pause * Double.random(in: 0.9...1.1, using: &generator)
    }

    private var isFailing: Bool { condition == .unavailable || condition == .empty }

    private mutating func fail(_ trouble: DNSTrouble?) -> Step {
        guard let trouble else { return Step() }
        var step = Step()
        if !isFailing { step.result = .failure(trouble) }
        if change(to: trouble.failure.isDefinite ? .empty : .unavailable) {
            step.news = .failing(trouble, endpoints: endpoints?.count ?? 0)
        }
        return step
    }

    private mutating func change(to new: Condition) -> Bool {
        defer { condition = new }
        return condition != new
    }
}
