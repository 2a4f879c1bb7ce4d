import MartletCore

/// The requests of a loop, and whether there is a worker for them.
///
/// While there is none, no more are let in. Those that wait are kept for the next one for as long
/// as the loop is patient, and until their deadlines.
struct GenAIRequests: Sendable {
    /// A time without a worker.
    private struct Outage {
        /// Why there is none.
        var reason: String
        /// When there should be one.
        var until: Duration
        /// Nobody is kept waiting for longer.
        let keepsUntil: Duration
    }

    /// No loop looks after those that wait less often.
    private static let lookMax = Duration.seconds(60)

    var scheduler: GenAIScheduler
    /// Requests that have not been told their end.
    var tasks: [GenerationID: GenAITask] = [:]
    /// Whether the model is being unloaded.
    private(set) var isClosed = false
    private var outage: Outage?

    init(_ settings: SchedulerSettings) {
        scheduler = GenAIScheduler(settings)
    }

    /// Refuses requests while nobody is there to do them.
    func check(now: Duration) throws(GenerationRefusal) {
        guard !isClosed else {
            throw GenerationRefusal(
                ServingError(.unavailable, "The model is being unloaded"))
        }
        if let outage { throw GenAIRequests.refusal(outage, now: now) }
    }

    private static func refusal(_ outage: Outage, now: Duration) -> GenerationRefusal {
        GenerationRefusal(
            ServingError(
                .unavailable,
                "The worker of OpenVINO GenAI ended (\(outage.reason)) and is started again; "
                    + "try again"),
            retryAfter: max(.seconds(1), outage.until - now))
    }

    /// The worker is gone.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - until: when there should be another one.
    ///   - patience: how long requests may be kept waiting for it.
    ///   - now: the time.
    mutating func didLoseWorker(
        _ reason: String, until: Duration, patience: Duration, now: Duration
    ) {
        let outage = Outage(reason: reason, until: until, keepsUntil: now + patience)
        self.outage = outage
        scheduler.didLoseWorker(GenAIRequests.refusal(outage, now: now).servingError, now: now)
        _ = lookAfterWaiting(now: now)
    }

    /// Another worker did not start either.
    mutating func didNotStart(_ reason: String, until: Duration, now: Duration) {
        outage?.reason = reason
        outage?.until = until
        _ = lookAfterWaiting(now: now)
    }

    /// There is a worker again, that has nothing.
    mutating func didStart() {
        outage = nil
        scheduler.didStart()
    }

    /// Ends those that wait for a worker and whose time is over, or all if there is none soon.
    ///
    /// - Returns: when to look again; `nil` once the model is being unloaded.
    mutating func lookAfterWaiting(now: Duration) -> Duration? {
        guard !isClosed else { return nil }
        scheduler.expire(now: now)
        guard let outage, scheduler.isWaiting else { return GenAIRequests.lookMax }
        guard max(now, outage.until) < outage.keepsUntil else {
            scheduler.turnAway(GenAIRequests.refusal(outage, now: now).servingError, now: now)
            return GenAIRequests.lookMax
        }
        return min(outage.keepsUntil, scheduler.nextDeadline ?? outage.keepsUntil) - now
    }

    /// Ends all as cancelled, and lets no more in.
    mutating func close(now: Duration) {
        guard !isClosed else { return }
        isClosed = true
        scheduler.cancelAll(now: now)
    }

    /// What happened, with the requests that are to be told.
    mutating func takeEvents() -> [(GenAIEvent, GenAITask)] {
        scheduler.takeEvents().compactMap { event in
            guard let task = tasks[event.id] else { return nil }
            if event.isLast { tasks[event.id] = nil }
            return (event, task)
        }
    }
}
