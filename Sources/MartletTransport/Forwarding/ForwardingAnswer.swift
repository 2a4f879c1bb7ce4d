import MartletCore

extension ForwardingFailure {
    /// What an answer tells that another upstream might have given otherwise; `nil` where it would
    /// have been the same.
    ///
    /// `DEADLINE_EXCEEDED` and 504 speak of a time that is up, 501 of what nobody can do.
    init?(httpStatus: Int, grpcStatus: StatusCode?) {
        switch (httpStatus, grpcStatus) {
        case (_, .resourceExhausted?), (_, .unavailable?), (429, nil), (503, nil): self = .refused
        case (_, .internal?), (_, .unknown?), (_, .dataLoss?): self = .serverError
        case (500...599, nil) where httpStatus != 501 && httpStatus != 504: self = .serverError
        default: return nil
        }
    }
}

extension HTTPResponse {
    /// The status of a gRPC call: behind the message, or in the head where there is none.
    var grpcStatus: StatusCode? {
        (trailers ?? headers).first("grpc-status").flatMap(GRPCFields.status)
    }
}
