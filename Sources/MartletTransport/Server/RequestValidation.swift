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
    var text = "{\n    \"error\": \""
    for scalar in message.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\u{0}"..<"\u{20}":
            let hexadecimal = String(scalar.value, radix: 16, uppercase: true)
            text += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        default: text.unicodeScalars.append(scalar)
        }
    }
    return Array((text + "\"\n}").utf8)
}
