import MartletCore
import NIOHTTP1

/// Rules for request heads that the HTTP library leaves to the server.
struct RequestValidation {
    let limits: Limits

    /// What is wrong with the head of an HTTP/1 request, if anything.
    func fault(in head: HTTPRequestHead) -> ServingError? {
        if head.version.minor >= 1, head.headers["host"].count != 1 {
            return .invalidArgument("The request needs exactly one Host header")
        }
        if head.version.minor == 0, head.headers.contains(name: "transfer-encoding") {
            return .invalidArgument("HTTP/1.0 has no Transfer-Encoding")
        }
        guard head.headers.count <= limits.headerFields else {
            return .invalidArgument(
                "The request has more than \(limits.headerFields) header fields "
                    + "(--max-header-fields)")
        }
        let bytes = head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard bytes + head.uri.utf8.count <= limits.headerBytes else {
            return .invalidArgument(
                "The request's header fields exceed \(limits.headerBytes) bytes "
                    + "(--max-header-bytes)")
        }
        return nil
    }

    /// The error for a body that is, or says it will be, over the limit.
    var bodyTooLarge: ServingError {
        ServingError(
            .resourceExhausted,
            "Request body exceeds the limit of \(limits.messageBytes) bytes "
                + "(--max-message-bytes)")
    }
}

extension HTTPRequestHead {
    /// The target without its query.
    var path: String { RequestTarget(uri).path }
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
