import MartletCore

/// Why the transport refuses a request by itself.
struct RequestFault: Error {
    /// What the client is told.
    let error: ServingError

    /// The status over HTTP.
    let status: Int

    /// Fields of the response that help the client to do better.
    let fields: HeaderFields

    /// Creates a fault; without a status, that of the error's code.
    init(_ error: ServingError, status: Int? = nil, fields: HeaderFields = [:]) {
        self.error = error
        // What is exhausted while a request is received is the room for it.
        self.status = status ?? (error.code == .resourceExhausted ? 413 : error.code.httpStatus)
        self.fields = fields
    }

    /// Any error as a fault; what is not known to be the client's is ours.
    init(wrapping error: any Error) {
        switch error {
        case let fault as RequestFault: self = fault
        case let error as ServingError: self.init(error)
        default: self.init(ServingError(.internal, "\(error)", cause: error))
        }
    }

    /// The response over HTTP.
    var httpResponse: HTTPResponse { httpResponse(body: nil) }

    /// The response over HTTP with other content than the usual.
    func httpResponse(body: [UInt8]?) -> HTTPResponse {
        var response = HTTPResponse(
            status: status, contentType: "application/json",
            body: body ?? errorBody(error.message))
        for field in fields.fields { response.headers.add(field.name, field.value) }
        return response
    }
}
