import MartletCore
import MartletTransport
import Synchronization

/// The response cache at work: lookups, and those who wait for each other's answers.
final class AnswerCache: Sendable {
    struct State {
        var cache: ResponseCache<HTTPResponse>
        var ledger = ModelVersionLedger()
        /// Those who wait for the answer of another.
        var waiting: [FlightTicket: Waiter] = [:]
        /// What endpoints served of the model when an asker came, where answers are shared; see
        /// ``ModelVersionLedger/fingerprint(of:in:)``.
        var versionsBegunWith: [FlightTicket: String] = [:]
    }

    /// One who waits for the answer of another.
    struct Waiter: Sendable {
        /// The age below which the answer has to be; `nil` for any.
        let ageMax: Duration?
        let completion: @Sendable (Outcome) -> Void
    }

    /// What becomes of one who waited.
    enum Outcome: Sendable {
        /// Somebody else's answer; of an age where it was not given just now.
        case answer(HTTPResponse, age: Duration?)
        /// It is the turn of who waited to ask a node.
        case lead
    }

    /// What a request gets from the cache.
    enum Lookup: Sendable {
        /// An answer, of this age.
        case hit(HTTPResponse, age: Duration)
        /// Nothing: a node is to be asked, and the answer to be told of where there is a ticket.
        case miss(FlightTicket?)
        /// Nothing yet: ``Outcome`` follows.
        case wait(FlightTicket)
    }

    private let digester = InputDigester.sha256()
    let state: Mutex<State>
    private let origin = ContinuousClock.now

    /// What other gateways keep, too; `nil` where nothing is shared.
    let shared: SharedAnswers?

    /// An empty cache as the policy describes it.
    init(_ settings: TrafficPolicy.Cache, shared: SharedAnswers? = nil) {
        self.shared = shared
        let configuration = CacheConfiguration(
            capacityBytes: settings.memoryBytes,
            timeToLive: AdaptiveTTL(
                minimum: settings.timeToLiveMin, maximum: settings.timeToLiveMax),
            staleWindow: settings.staleTime)
        state = Mutex(
            State(
                cache: ResponseCache(
                    configuration: configuration, seed: .random(in: .min ... .max))))
    }

    var now: Duration { ContinuousClock.now - origin }

    /// The key of a request; `nil` for one that is not cacheable after all.
    func key(_ caching: RequestState.Caching, body: [UInt8]) -> CacheKey? {
        let operation = caching.call.operation + " " + caching.coding
        guard let target = caching.call.target else {
            guard caching.call.isGRPC else { return key(caching, operation, completion: body) }
            guard let message = PredictionMessage(caching.call, frame: body),
                isKnownToChange(message.model, message.version, in: caching.source.pool)
            else { return nil }
            return message.key(
                tenant: caching.tenant, source: caching.source, operation: operation, by: digester)
        }
        guard !caching.call.mayNameSharedMemory || !SharedMemoryNaming.mayBe(inJSON: body),
            isKnownToChange(target.model, target.version, in: caching.source.pool),
            let input = digester.digest(json: body)
        else { return nil }
        return CacheKey(
            tenant: caching.tenant, source: caching.source, model: target.model,
            version: target.version, operation: operation, input: input)
    }

    /// The key of a request by OpenAI's API; `nil` if its answer may not be the same each time, or
    /// it cannot be told when its model changes.
    private func key(
        _ caching: RequestState.Caching, _ operation: String, completion body: [UInt8]
    ) -> CacheKey? {
        guard let completion = CompletionBody(body), completion.isDeterministic,
            let model = state.withLock({
                $0.ledger.model(named: completion.model, in: caching.source.pool)
            }),
            let input = digester.digest(json: body)
        else { return nil }
        // Which version is asked for is part of the input.
        return CacheKey(
            tenant: caching.tenant, source: caching.source, model: model, version: .latest,
            operation: operation, input: input)
    }

    /// Looks for an answer.
    ///
    /// - Parameters:
    ///   - key: what is asked for.
    ///   - ageMax: the age below which it has to be; `nil` for any.
    ///   - completion: takes the outcome of ``Lookup/wait(_:)``.
    /// - Returns: what there is.
    func lookup(
        _ key: CacheKey, ageMax: Duration?, completion: @escaping @Sendable (Outcome) -> Void
    ) -> Lookup {
        let now = now
        return state.withLock { state in
            switch state.cache.lookup(key, ageMax: ageMax, now: now) {
            case .hit(let answer):
                // One asker at a time gets a new answer in place of a stale one, and the others the
                // stale one meanwhile.
                guard let ticket = answer.revalidation else {
                    return .hit(answer.value, age: answer.age)
                }
                begin(ticket, key, &state)
                return .miss(ticket)
            case .lead(let ticket):
                begin(ticket, key, &state)
                return .miss(ticket)
            case .detour: return .miss(nil)
            case .follow(let ticket):
                begin(ticket, key, &state)
                state.waiting[ticket] = Waiter(ageMax: ageMax, completion: completion)
                return .wait(ticket)
            }
        }
    }

    /// The answer of who leads: kept if it may be, here and for other gateways, and given to those
    /// who wait if it is good.
    ///
    /// - Parameters:
    ///   - ticket: of who leads.
    ///   - answer: what a node gave now.
    ///   - isKept: whether it may be kept.
    ///   - lifeMax: for how long the node allows it to be given; `nil` for no bound.
    func answered(
        _ ticket: FlightTicket, _ answer: HTTPResponse, isKept: Bool, lifeMax: Duration? = nil
    ) {
        let now = now
        let bytes = AnswerCache.bytes(of: answer)
        let (waiting, sharing) = state.withLock { state in
            let begun = state.versionsBegunWith.removeValue(forKey: ticket)
            let sharing = isKept ? state.sharing(ticket, begun: begun, now: now) : nil
            let followers =
                isKept
                ? state.cache.fulfil(
                    ticket, with: answer, bytes: bytes, lifeMax: lifeMax, now: now)
                : state.cache.share(ticket)
            return (followers.compactMap { state.leave($0) }, sharing)
        }
        for waiter in waiting { waiter.completion(.answer(answer, age: nil)) }
        guard let sharing, let shared else { return }
        let life = lifeMax.map { min($0, sharing.life) } ?? sharing.life
        shared.keep(answer, for: sharing.key, versions: sharing.versions, life: life)
    }

    /// Who leads has no answer, or who waits does not wait any more.
    func failed(_ ticket: FlightTicket) {
        let now = now
        let next = state.withLock { state in
            _ = state.leave(ticket)
            // Who leads now still has what it began with.
            return state.cache.fail(ticket, now: now)
                .flatMap { state.waiting.removeValue(forKey: $0) }
        }
        next?.completion(.lead)
    }

    /// The answer of who leads cannot be given to others, nor could that of anybody else who asks
    /// the same, such as one that is too long to be kept: all who wait ask for themselves.
    ///
    /// One after the other, each would hold up those behind it only to find out the same.
    func parted(_ ticket: FlightTicket) {
        let waiting = state.withLock { state in
            _ = state.leave(ticket)
            return state.cache.share(ticket).compactMap { state.leave($0) }
        }
        for waiter in waiting { waiter.completion(.lead) }
    }

    /// How scarce the machine's memory is, from 0 to 1.
    var memoryPressure: Double {
        get { state.withLock { $0.cache.memoryPressure } }
        set { state.withLock { $0.cache.memoryPressure = newValue } }
    }

    /// What it has done, and what it holds.
    var counters: CacheCounters { state.withLock { $0.cache.counters } }

    static func bytes(of answer: HTTPResponse) -> Int {
        let fields = answer.headers.fields + (answer.trailers?.fields ?? [])
        return fields.reduce(answer.body.count + 64) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 64
        }
    }
}
