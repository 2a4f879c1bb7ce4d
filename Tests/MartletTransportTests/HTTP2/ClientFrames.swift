import NIOCore

@testable import MartletTransport

/// Bytes that a client sends.
struct ClientBytes: Sendable, ExpressibleByArrayLiteral {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(arrayLiteral parts: ClientBytes...) { bytes = parts.flatMap(\.bytes) }

    static func raw(_ bytes: [UInt8]) -> ClientBytes { ClientBytes(bytes) }

    static let preface = ClientBytes(HTTP2Protocol.preface)

    static func frame(
        _ kind: UInt8, _ flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [],
        length: Int? = nil
    ) -> ClientBytes {
        let count = length ?? payload.count
        return ClientBytes(
            [UInt8(truncatingIfNeeded: count >> 16), UInt8(truncatingIfNeeded: count >> 8)]
                + [UInt8(truncatingIfNeeded: count), kind, flags] + big(stream) + payload)
    }

    static func big(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }

    static func settings(_ values: [(UInt16, UInt32)] = [], stream: UInt32 = 0) -> ClientBytes {
        frame(
            4, stream: stream,
            values.flatMap { [UInt8($0.0 >> 8), UInt8(truncatingIfNeeded: $0.0)] + big($0.1) })
    }

    static let settingsAck = frame(4, 1)

    static func headers(
        _ stream: UInt32, _ fields: [(String, String)] = HeaderSamples.post, end: Bool = false,
        whole: Bool = true
    ) -> ClientBytes {
        block(stream, FieldBlock(fields).bytes, end: end, whole: whole)
    }

    /// HEADERS with any bytes for a block.
    static func block(
        _ stream: UInt32, _ block: [UInt8], end: Bool = true, whole: Bool = true
    ) -> ClientBytes {
        frame(1, (end ? 1 : 0) | (whole ? 4 : 0), stream: stream, block)
    }

    static func continuation(
        _ stream: UInt32, _ block: [UInt8] = [], whole: Bool = true
    ) -> ClientBytes {
        frame(9, whole ? 4 : 0, stream: stream, block)
    }

    /// A request without content.
    static func get(_ stream: UInt32) -> ClientBytes {
        headers(stream, HeaderSamples.get, end: true)
    }

    static func data(
        _ stream: UInt32, _ bytes: [UInt8] = [1, 2, 3], end: Bool = false
    ) -> ClientBytes {
        frame(0, end ? 1 : 0, stream: stream, bytes)
    }

    static func reset(_ stream: UInt32, code: UInt32 = 8) -> ClientBytes {
        frame(3, stream: stream, big(code))
    }

    static func priority(_ stream: UInt32, on parent: UInt32 = 0) -> ClientBytes {
        frame(2, stream: stream, big(parent) + [15])
    }

    static func window(_ stream: UInt32, _ increment: UInt32) -> ClientBytes {
        frame(8, stream: stream, big(increment))
    }

    static func ping(_ data: UInt64 = 7, ack: Bool = false, stream: UInt32 = 0) -> ClientBytes {
        frame(
            6, ack ? 1 : 0, stream: stream,
            big(UInt32(data >> 32)) + big(UInt32(truncatingIfNeeded: data)))
    }

    static func goAway(code: UInt32 = 0, stream: UInt32 = 0) -> ClientBytes {
        frame(7, stream: stream, big(0) + big(code))
    }
}

enum HeaderSamples {
    static let get = [
        (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "martlet.test"),
    ]
    static let post = [
        (":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "martlet.test"),
    ]
    static let head = [
        (":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "martlet.test"),
    ]
}
