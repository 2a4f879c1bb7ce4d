import NIOCore
import NIOHTTP1

/// What an answer says about the connection.
enum HTTP1Persistence {
    /// It lives on, which goes without saying.
    case kept
    /// It lives on, which clients of HTTP/1.0 have to be told.
    case namedKept
    /// This is its last answer.
    case ended
}

/// Answers as bytes.
extension ByteBuffer {
    /// Room for the status, the date and the length.
    private static let usualHeadBytes = 160

    /// Writes an answer, of which a client that asked for the head alone gets no more than that.
    mutating func write(_ response: HTTPResponse, persistence: HTTP1Persistence, isHead: Bool) {
        // RFC 9110, sections 8.6 and 15.4.5: the content of these is nothing, and has no length.
        let hasLength = response.status != 204 && response.status != 304
        let hasBody = hasLength && !isHead
        writeHead(response, room: hasBody ? response.body.count : 0)
        if hasLength {
            writeStaticString("content-length: ")
            writeString(String(response.body.count))
            writeStaticString("\r\n")
        }
        switch persistence {
        case .kept: writeStaticString("\r\n")
        case .namedKept: writeStaticString("connection: keep-alive\r\n\r\n")
        case .ended: writeStaticString("connection: close\r\n\r\n")
        }
        if hasBody { writeBytes(response.body) }
    }

    /// Writes the status and the fields that do not speak of content or connection, with `room` for
    /// what is to follow.
    mutating func writeHead(_ response: HTTPResponse, room: Int = 0) {
        let fields = response.headers.fields
        reserveCapacity(
            minimumWritableBytes: fields.reduce(room) {
                $0 + $1.name.utf8.count + $1.value.utf8.count + 4
            } + ByteBuffer.usualHeadBytes)
        writeStatus(response.status)
        for field in fields { writeField(field.name, field.value) }
        writeStaticString("date: ")
        writeString(HTTPDate.now())
        writeStaticString("\r\n")
    }

    private mutating func writeStatus(_ status: Int) {
        guard status != 200 else {
            writeStaticString("HTTP/1.1 200 OK\r\n")
            return
        }
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        writeString("HTTP/1.1 \(status) \(reason)\r\n")
    }

    private mutating func writeField(_ name: String, _ value: String) {
        writeLineText(name)
        writeStaticString(": ")
        writeLineText(value)
        writeStaticString("\r\n")
    }

    /// What would end the line has no place in it.
    private mutating func writeLineText(_ text: String) {
        let isClean = text.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.allSatisfy { $0 != 0 && $0 != 0x0A && $0 != 0x0D }
        }
        if isClean == true {
            writeString(text)
        } else {
            writeBytes(text.utf8.lazy.map { $0 == 0 || $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        }
    }
}
