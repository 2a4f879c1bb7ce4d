import MartletCore

/// Rules for the size of requests.
struct RequestValidation {
    let limits: Limits

    /// The error for a body that is over the limit of its route.
    static func bodyTooLarge(limit: Int) -> ServingError {
        ServingError(
            .resourceExhausted, "Request body exceeds the limit of \(limit) bytes on this route")
    }

    /// The error for a body that is, or says it will be, over the limit.
    var bodyTooLarge: ServingError {
        ServingError(
            .resourceExhausted,
            "Request body exceeds the limit of \(limits.messageBytes) bytes "
                + "(--max-message-bytes)")
    }
}

/// The JSON object that TensorFlow Serving's REST API answers errors with.
public func errorBody(_ message: String) -> [UInt8] {
    var body = Array("{\n    \"error\": ".utf8)
    body.append(jsonString: message, uppercase: true)
    body.append(contentsOf: "\n}".utf8)
    return body
}
