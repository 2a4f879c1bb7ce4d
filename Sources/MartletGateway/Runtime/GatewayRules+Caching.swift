import MartletTelemetry
import MartletTransport

extension GatewayRules {
    /// What the cache may do for a request; `nil` for nothing.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - route: its route.
    ///   - path: the path that its node is asked for.
    ///   - tenant: whose request it is.
    /// - Returns: what the cache has to know of it.
    func caching(
        of request: ForwardedRequest, route: RouteRuntime, path: String, tenant: String
    ) -> RequestState.Caching? {
        guard let cache, route.settings.usesCache, request.api == .rest,
            let call = PredictionCall(restMethod: request.method, path: path),
            // The body is then only partly JSON.
            request.fields.first("inference-header-content-length") == nil
        else { return nil }
        let policy = CachePolicy(isEnabled: true, answerBytesMax: self.policy.cache.entryBytesMax)
        let use = policy.use(
            for: CachePolicy.Request(
                call: call,
                bodyBytes: request.fields.first("content-length").flatMap { Int($0) },
                cacheControl: request.fields.all("cache-control"),
                isEncoded: request.fields.first("content-encoding") != nil))
        guard case .full(let ageMax) = use else { return nil }
        return RequestState.Caching(
            call: call, tenant: tenant, coding: request.fields.first("accept-encoding") ?? "",
            ageMax: ageMax, policy: policy, cache: cache)
    }
}

extension CachePolicy.Answer {
    init(_ answer: HTTPResponse) {
        self.init(
            isOK: answer.status == 200, bodyBytes: answer.body.count,
            cacheControl: answer.headers.all("cache-control"),
            setsCookie: answer.headers.first("set-cookie") != nil)
    }
}

extension HeaderFields {
    /// All values under a name.
    func all(_ name: String) -> [String] {
        let name = name.lowercased()
        return fields.filter { $0.name.lowercased() == name }.map(\.value)
    }
}

extension HTTPResponse {
    /// The answer as it is given out of the cache, of an age where it has one (RFC 9111, section
    /// 5.1).
    func fromCache(_ how: String, age: Duration?) -> HTTPResponse {
        var answer = self
        if let age { answer.headers.add("age", String(age.components.seconds)) }
        answer.headers.add("x-martlet-cache", how)
        return answer
    }
}
