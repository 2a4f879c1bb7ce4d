import MartletCore
import MartletTransport

/// Why a request counts against the endpoint it was sent to.
///
/// The raw values are labels of metrics and logs.
enum EndpointFailure: String, Sendable, Hashable, CaseIterable {
    /// It answered that it is broken or not available.
    case serverError = "server_error"
    /// It could not be connected to, or hung up before its answer was complete.
    case connectionFailed = "connection_failed"
    /// It did not answer in time.
    case timedOut = "timed_out"

    /// Whether it did not answer at all, so that the answer to an active check disproves it.
    var isSilence: Bool { self != .serverError }
}

/// How a request to an endpoint ended, as far as it tells whether the endpoint is well.
enum EndpointOutcome: Sendable, Hashable {
    /// It answered, and well, this long after the request was sent.
    case answered(latency: Duration)
    /// It answered that it will not: by the client's mistake, or because it is full. It is well,
    /// and how fast it says no tells nothing.
    case declined
    /// It is not well.
    case failed(EndpointFailure)

    /// What an HTTP status tells.
    ///
    /// 501 is a proper answer to a request that the endpoint does not know.
    init(httpStatus: Int, latency: Duration) {
        switch httpStatus {
        case 100..<400: self = .answered(latency: latency)
        case 501: self = .declined
        case 500...: self = .failed(.serverError)
        default: self = .declined
        }
    }

    /// What a gRPC status tells.
    ///
    /// `DEADLINE_EXCEEDED` speaks of the deadline, which is the client's: one that always sets it
    /// too short must not cost others an endpoint.
    init(grpcStatus: StatusCode, latency: Duration) {
        switch grpcStatus {
        case .ok: self = .answered(latency: latency)
        case .unknown, .internal, .dataLoss, .unavailable: self = .failed(.serverError)
        case .cancelled, .deadlineExceeded, .invalidArgument, .notFound, .alreadyExists,
            .permissionDenied, .resourceExhausted, .failedPrecondition, .aborted, .outOfRange,
            .unimplemented, .unauthenticated:
            self = .declined
        }
    }

    /// What the end of an attempt tells; `nil` for nothing.
    init?(_ attempt: EndedAttempt) {
        switch attempt.result {
        case .answered(_, let grpcStatus?):
            self.init(grpcStatus: grpcStatus, latency: attempt.duration)
        case .answered(let httpStatus, nil):
            self.init(httpStatus: httpStatus, latency: attempt.duration)
        case .failed(let failure): self.init(failure)
        case .abandoned: return nil
        }
    }

    /// What it tells that an attempt came to no answer; `nil` for nothing: the gateway's own
    /// machine could not make it.
    ///
    /// An endpoint that hands a request back unprocessed is about to close that connection, in good
    /// order; and one that does not speak HTTP/2 may be well for all who come by HTTP/1.1.
    init?(_ failure: ForwardingFailure) {
        switch failure {
        case .localFault: return nil
        case .connectFailed, .connectionClosed: self = .failed(.connectionFailed)
        case .unprocessed, .full, .noHTTP2: self = .declined
        case .timedOut, .attemptTimedOut, .upstreamLost: self = .failed(.timedOut)
        case .refused: self = .declined
        case .serverError: self = .failed(.serverError)
        }
    }
}
