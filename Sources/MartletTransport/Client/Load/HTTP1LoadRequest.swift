import MartletCore
import NIOCore

/// Requests of HTTP/1.1, as they go over the wire.
enum HTTP1LoadRequest {
    /// Puts a request into bytes.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what would break the head apart.
    static func bytes(_ request: LoadRequest, authority: String) throws -> ByteBuffer {
        let hasSpace = request.path.utf8.contains { $0 <= 0x20 || $0 == 0x7F }
        guard request.path.hasPrefix("/"), !hasSpace else {
            throw ServingError.invalidArgument("'\(request.path)' cannot be asked for: not a path")
        }
        var head = "\(request.method) \(request.path) HTTP/1.1\r\n"
        var fields = request.headers
        if fields.first("host") == nil { fields.add("host", authority) }
        if fields.first("user-agent") == nil { fields.add("user-agent", "martlet-bench") }
        for field in fields.fields {
            try check(name: field.name, value: field.value)
            guard !field.name.equalsIgnoringASCIICase("content-length"),
                !field.name.equalsIgnoringASCIICase("transfer-encoding")
            else {
                throw ServingError.invalidArgument(
                    "The header field '\(field.name)' is written by the program itself")
            }
            head += "\(field.name): \(field.value)\r\n"
        }
        if !request.body.isEmpty || request.method != "GET" {
            head += "content-length: \(request.body.count)\r\n"
        }
        var bytes = ByteBuffer(string: head + "\r\n")
        bytes.writeBytes(request.body)
        return bytes
    }

    /// Checks a header field.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    static func check(name: String, value: String) throws {
        let isToken = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
        guard !name.isEmpty, isToken else {
            throw ServingError.invalidArgument("'\(name)' is no name of a header field")
        }
        guard !value.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) else {
            throw ServingError.invalidArgument(
                "The value of the header field '\(name)' has a control character")
        }
    }
}
