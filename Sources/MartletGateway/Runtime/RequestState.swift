import MartletTransport
import Synchronization

/// What the gateway knows of one request while it lasts.
final class RequestState: Sendable {
    let route: RouteRuntime
    let pool: PoolRuntime
    /// Which version of a canary answers.
    let arm: CanaryController.Arm?
    let affinityKey: UInt64?
    /// Who asks, and what is to be released in the end.
    let grant: AccessGrant?
    /// Whether the route counts it.
    let isCounted: Bool
    /// What the cache may do for it.
    let caching: Caching?
    /// Whether it is its body that names its model, which is not known yet.
    let namesModelInBody: Bool
    /// Whether its pool counts it.
    let isAdmitted: Bool
    /// Where a copy of it goes.
    let shadow: ShadowRuntime?
    /// What it is a copy of; `nil` for a client's own.
    let original: ShadowOriginal?
    /// What may be asked in its place; `nil` for nothing.
    let fallbacks: Fallbacks?
    /// How its time is limited by its tokens; `nil` for not at all.
    let tokenTimes: TokenTimes?

    /// What the cache has to know of a request.
    struct Caching: Sendable {
        let call: PredictionCall
        let tenant: String
        /// Who answers.
        let source: AnswerSource
        let coding: String
        let ageMax: Duration?
        let policy: CachePolicy
        let cache: AnswerCache
    }

    /// What it names as its model; see ``model``.
    let asked: Mutex<String?>
    /// Its prompt, for pools that go by that; read before the first attempt.
    let prompt = Mutex<PromptBlocks?>(nil)
    /// The request's place in the cache's flights.
    let flight = Mutex<FlightTicket?>(nil)

    /// Why there was no endpoint for its first attempt; `nil` where there was one.
    let noUpstream = Mutex<FallbackReason?>(nil)

    /// Whether its last attempt failed by a fault of this machine, which tells nothing of an arm.
    let failedHere = Atomic(false)

    /// What its endpoint is picked by.
    var pick: PickRequest {
        guard pool.prompts != nil else { return PickRequest(affinityKey: affinityKey) }
        return PickRequest(affinityKey: affinityKey, prompt: prompt.withLock { $0 })
    }

    init(
        route: RouteRuntime, pool: PoolRuntime, arm: CanaryController.Arm? = nil,
        affinityKey: UInt64? = nil, grant: AccessGrant? = nil, isCounted: Bool = false,
        caching: Caching? = nil, model: String? = nil, namesModelInBody: Bool = false,
        isAdmitted: Bool = false,
        shadow: ShadowRuntime? = nil, original: ShadowOriginal? = nil,
        fallbacks: Fallbacks? = nil, tokenTimes: TokenTimes? = nil
    ) {
        self.route = route
        self.pool = pool
        self.arm = arm
        self.affinityKey = affinityKey
        self.grant = grant
        self.isCounted = isCounted
        self.caching = caching
        asked = Mutex(model)
        self.namesModelInBody = namesModelInBody
        self.isAdmitted = isAdmitted
        self.shadow = shadow
        self.original = original
        self.fallbacks = fallbacks
        self.tokenTimes = tokenTimes
    }
}

/// A request whose route its body decides.
final class UndecidedRequest: Sendable {
    let request: ForwardedRequest
    let path: RequestPath
    private let grant: Mutex<AccessGrant?>

    init(_ request: ForwardedRequest, _ path: RequestPath, _ grant: AccessGrant?) {
        self.request = request
        self.path = path
        self.grant = Mutex(grant)
    }

    /// The grant, once: whoever takes it gives its lease back, or hands it on.
    ///
    /// That is whoever decides by the body or, where no body came, whatever ends the request: so a
    /// lease is given back however that is, and only once.
    func takeGrant() -> AccessGrant? {
        grant.withLock { grant in
            defer { grant = nil }
            return grant
        }
    }
}
