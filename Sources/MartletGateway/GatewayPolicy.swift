import Logging
import MartletCore
import MartletTelemetry
import MartletTransport

/// The gateway's decisions on the data path: which requests may be repeated, and where each goes.
struct GatewayPolicy: ForwardingPolicy {
    let directory: EndpointDirectory
    let journal: GatewayJournal
    let pools: UpstreamPools?
    let attemptTimeout: Duration?
    let logger: Logger

    init(
        directory: EndpointDirectory, journal: GatewayJournal, pools: UpstreamPools? = nil,
        attemptTimeout: Duration? = nil, logger: Logger
    ) {
        self.directory = directory
        self.journal = journal
        self.pools = pools
        self.attemptTimeout = attemptTimeout
        self.logger = logger
    }

    /// The gRPC services all of whose methods are unary and idempotent.
    private static let unaryServices = [
        "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/",
        "/grpc.health.v1.Health/Check",
    ]

    func plan(api: RequestAPI, method: String, path: String) -> ForwardingPlan {
        switch api {
        case .grpc:
            let isUnary = GatewayPolicy.unaryServices.contains { path.hasPrefix($0) }
            return ForwardingPlan(isIdempotent: isUnary, holdsResponse: isUnary)
        case .rest:
            // A node's own metrics are for operators, who reach the nodes themselves.
            guard path.lowercased() != "/metrics" else {
                let error = ServingError.notFound("Not found: \(method) \(path)")
                return ForwardingPlan(isIdempotent: true, holdsResponse: false, refusal: error)
            }
            // A prediction changes nothing, though it is a POST.
            let isPrediction = method == "POST" && path.lowercased().hasPrefix("/v1/models/")
            let isRead = method == "GET" || method == "HEAD"
            return ForwardingPlan(
                isIdempotent: isPrediction || isRead, holdsResponse: isPrediction || isRead)
        }
    }

    func firstUpstream() -> UpstreamAddress? { directory.pickFirst() }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        if let last = failed.tried.last {
            directory.didFail(at: last)
            if failed.failure == .connectFailed, let change = directory.connectionFailed(last) {
                logger.log(change)
                pools?.retire(last)
            }
        }
        let next = directory.pickNext(after: failed)
        if next != nil { journal.didRetry(failed.failure.asAttemptFailure) }
        return next
    }

    func didBegin(at upstream: UpstreamAddress) { directory.didBegin(at: upstream) }

    func didEnd(_ attempt: EndedAttempt) {
        for change in directory.didEnd(attempt) { journal.note(change, logger) }
    }

    func didFinish(_ outcome: ForwardedOutcome) { journal.didFinish(outcome) }
}
