import MartletCore
import MartletTelemetry
import MartletTransport

extension GatewayRules {
    /// What the cache may do for a request; `nil` for nothing.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - route: its route.
    ///   - pool: the pool that it goes to.
    ///   - changes: what is changed in it on its way to a node.
    ///   - tenant: whose request it is; `nil` where the gateway asks for no credentials.
    /// - Returns: what the cache has to know of it.
    func caching(
        of request: ForwardedRequest, route: RouteRuntime, pool: PoolRuntime,
        _ changes: ForwardingChanges?, tenant: String?
    ) -> RequestState.Caching? {
        guard let cache, route.settings.usesCache,
            let call = PredictionCall(request, path: changes?.path ?? request.path)
        else { return nil }
        let policy = CachePolicy(isEnabled: true, answerBytesMax: self.policy.cache.entryBytesMax)
        // A call seldom tells its length, and no more of it is awaited than the limit.
        let unknownLength = call.isGRPC ? 0 : nil
        let use = policy.use(
            for: CachePolicy.Request(
                call: call,
                bodyBytes: request.fields.first("content-length").flatMap { Int($0) }
                    ?? unknownLength,
                cacheControl: request.fields.all("cache-control"),
                isEncoded: request.fields.first("content-encoding") != nil))
        guard case .full(let ageMax) = use else { return nil }
        return RequestState.Caching(
            call: call, tenant: tenant ?? request.caller(without: changes?.request.removed ?? []),
            source: route.source(of: pool),
            coding: call.coding(of: request), ageMax: ageMax, policy: policy, cache: cache)
    }
}

extension ForwardedRequest {
    /// Where nodes look for credentials.
    private static let credentials = ["authorization", "x-api-key"]

    /// Whose answers a request may get of which the gateway asks for no credentials: nodes may ask
    /// for them, so only those of who shows them the same (RFC 9111, section 3.5).
    ///
    /// - Parameter removed: the fields that nodes do not get.
    /// - Returns: a tenant for all who show the same; the anonymous one for who shows nothing.
    fileprivate func caller(without removed: Set<String>) -> String {
        let shown = ForwardedRequest.credentials
            .filter { !removed.contains($0) && fields.first($0) != nil }
            .flatMap { name in fields.all(name).map { "\(name):\($0)" } }
        let anonymous = AccessIdentity.anonymous.tenant
        guard !shown.isEmpty else { return anonymous }
        // Behind a byte that no name of a tenant has; secrets themselves are not kept.
        return "\(anonymous)\0\(SecretDigest(of: shown.joined(separator: "\n")).hex)"
    }
}

extension PredictionCall {
    /// Reads the head of a request, of which a node is asked by `path`; nil if it is no prediction,
    /// or its body is in a format that is not read here.
    init?(_ request: ForwardedRequest, path: String) {
        switch request.api {
        case .rest:
            // The body is then only partly JSON.
            guard request.fields.first("inference-header-content-length") == nil else { return nil }
            self.init(restMethod: request.method, path: path)
        case .grpc:
            let formats = ["application/grpc", "application/grpc+proto"]
            guard formats.contains(request.fields.first("content-type") ?? "") else { return nil }
            self.init(grpcPath: path)
        }
    }

    /// What of a request's head decides on the form of its answer.
    ///
    /// Servers of gRPC may answer in the format and the coding of the request.
    func coding(of request: ForwardedRequest) -> String {
        let names =
            isGRPC
            ? ["content-type", "grpc-encoding", "grpc-accept-encoding", "accept-encoding"]
            : ["accept-encoding"]
        // Neither stands in a value.
        return names.map { request.fields.all($0).joined(separator: "\r") }
            .joined(separator: "\n")
    }
}

extension RequestState.Caching {
    /// Whether an answer is kept.
    func keeps(_ answer: HTTPResponse) -> Bool {
        // Nobody has asked for a stream; one that comes all the same is not kept.
        let type = answer.headers.first("content-type") ?? ""
        return !type.hasPrefix("text/event-stream")
            && policy.keeps(
                CachePolicy.Answer(
                    isOK: answer.status == 200 && (!call.isGRPC || answer.isCallThatWentWell),
                    bodyBytes: answer.body.count, cacheControl: answer.headers.all("cache-control"),
                    setsCookie: answer.headers.first("set-cookie") != nil))
    }

    /// Whether those who wait for an answer get it: not one that another attempt might better.
    ///
    /// - Parameters:
    ///   - status: that of HTTP.
    ///   - grpcStatus: that of the call; `nil` if the answer has none.
    /// - Returns: whether they get it.
    func isForAll(status: Int, grpcStatus: StatusCode?) -> Bool {
        guard call.isGRPC else { return status < 500 && status != 429 }
        guard status == 200 else { return false }
        switch grpcStatus {
        case .ok, .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .unauthenticated,
            .failedPrecondition, .outOfRange:
            return true
        default: return false
        }
    }
}

extension HTTPResponse {
    /// Whether it is a unary call's answer, with its message and the status `OK` behind that.
    fileprivate var isCallThatWentWell: Bool {
        trailers?.all("grpc-status") == ["0"] && headers.first("grpc-status") == nil
            // What is compressed as a whole is no frame.
            && headers.first("content-encoding") == nil && VersionedCall.isFrame(body)
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
