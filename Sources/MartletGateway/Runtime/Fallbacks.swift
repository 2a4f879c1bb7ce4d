import MartletTelemetry
import MartletTransport

/// A model, or a pool, that may be asked in place of another.
struct FallbackTarget: Sendable {
    let settings: TrafficPolicy.Fallback
    /// Nil for the pool that was asked first.
    let pool: PoolRuntime?
}

/// What may be asked in place of one request.
struct Fallbacks: Sendable {
    /// What was not tried yet, in order.
    let targets: ArraySlice<FallbackTarget>
    /// The pool that was asked first.
    let pool: PoolRuntime
    /// How much the request matters to the pools.
    let priority: RequestPriority
    /// What is asked, of whichever model.
    let call: OpenAICall
    /// The model that was asked first; nil as long as nothing else was asked.
    var asked: String?
    /// Why the first pool does not take the request; nil where it does.
    var shed: ForwardingRefusal?
}

extension RouteRuntime {
    /// What may be asked in place of a request; nil for nothing.
    ///
    /// - Parameters:
    ///   - request: its head.
    ///   - pool: the pool that it goes to.
    ///   - priority: how much it matters.
    ///   - shed: why the pool does not take it; nil where it does.
    /// - Returns: what may be asked.
    func fallbacks(
        of request: ForwardedRequest, in pool: PoolRuntime, _ priority: RequestPriority,
        shed: ForwardingRefusal?
    ) -> Fallbacks? {
        guard !fallbacks.isEmpty, request.api == .rest, request.method == "POST",
            let call = OpenAICall(path: request.path),
            request.fields.first(Fallbacks.requestField)?.equalsIgnoringCase("none") != true
        else { return nil }
        let targets = fallbacks.filter { call.allows($0.settings) }
        guard !targets.isEmpty else { return nil }
        return Fallbacks(
            targets: targets[...], pool: pool, priority: priority, call: call, shed: shed)
    }

    /// How the time of a request is limited by its tokens; nil for not at all.
    func tokenTimes(of request: ForwardedRequest, attempt: Duration?) -> TokenTimes? {
        guard settings.timeouts.countsTokens, request.api == .rest, request.method == "POST",
            OpenAICall(path: request.path)?.isGenerative ?? false
        else { return nil }
        return TokenTimes(settings.timeouts, attempt: attempt)
    }
}

extension Fallbacks {
    /// The field by which a client says `none`: it wants what it has asked, or an error.
    static let requestField = "x-martlet-fallback"
    /// The field that tells which model has answered in place of another, or of another pool.
    static let responseField = "x-martlet-fallback-model"
}
