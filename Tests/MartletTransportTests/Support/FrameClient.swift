import NIOCore

@testable import MartletTransport

/// Speaks HTTP/2 frame by frame, also what no well-behaved client would send.
struct FrameClient {
    /// One frame as it came.
    struct Frame: Equatable {
        let type: UInt8
        let flags: UInt8
        let stream: UInt32
        let payload: [UInt8]

        /// The last stream and the error code of a GOAWAY.
        var goAway: [UInt32]? {
            guard type == 7 else { return nil }
            var bytes = ByteBuffer(bytes: payload)
            return bytes.readMultipleIntegers(as: (UInt32, UInt32).self).map { [$0.0, $0.1] }
        }

        /// The error code of a RST_STREAM.
        var reset: UInt32? {
            guard type == 3 else { return nil }
            return ByteBuffer(bytes: payload).getInteger(at: 0)
        }

        /// Whether the frame ends its stream.
        var isEnd: Bool { (type == 0 || type == 1) && flags & 1 == 1 }
    }

    let channel: any Channel
    private var parts: AsyncStream<ByteBuffer>.Iterator
    private var rest = ByteBuffer()

    /// Connects and says nothing yet.
    static func connect(to server: TestServer) async throws -> FrameClient {
        let client = try await RawClient.connect(to: server)
        return FrameClient(client)
    }

    private init(_ client: RawClient) {
        channel = client.channel
        parts = client.parts
    }

    /// Sends the preface and empty settings.
    func begin() async throws {
        try await channel.writeAndFlush(ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
            .get()
        try await send(type: 4)
    }

    func send(
        type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []
    ) async throws {
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt32(payload.count) << 8 | UInt32(type))
        bytes.writeInteger(flags)
        bytes.writeInteger(stream)
        bytes.writeBytes(payload)
        try await channel.writeAndFlush(bytes).get()
    }

    /// Sends a whole POST request.
    func post(
        _ path: String, stream: UInt32, body: String, fields: [(String, String)] = []
    ) async throws {
        let all =
            [
                (":method", "POST"), (":scheme", "http"), (":path", path),
                (":authority", "martlet.test"),
            ] + fields
        // Literals without indexing (RFC 7541, section 6.2.2).
        let block = all.flatMap { name, value in
            [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
        }
        try await send(type: 1, flags: 4, stream: stream, block)
        try await send(type: 0, flags: 1, stream: stream, Array(body.utf8))
    }

    func acknowledge(_ ping: Frame) async throws {
        try await send(type: 6, flags: 1, ping.payload)
    }

    /// The next frame; `nil` once the server has closed.
    mutating func next() async -> Frame? {
        while true {
            if let frame = takeFrame() { return frame }
            guard var part = await parts.next() else { return nil }
            rest.writeBuffer(&part)
        }
    }

    /// The next frame of a type, throwing those before it away.
    mutating func next(type: UInt8) async -> Frame? {
        while let frame = await next() {
            if frame.type == type { return frame }
        }
        return nil
    }

    /// All frames until the server closes.
    mutating func readToEnd() async -> [Frame] {
        var frames: [Frame] = []
        while let frame = await next() { frames.append(frame) }
        return frames
    }

    /// The body of a stream's answer, once it has ended.
    mutating func answer(on stream: UInt32) async -> String? {
        var body: [UInt8] = []
        while let frame = await next() {
            guard frame.stream == stream else { continue }
            if frame.type == 3 { return nil }
            if frame.type == 0 { body += frame.payload }
            if frame.isEnd { return String(decoding: body, as: UTF8.self) }
        }
        return nil
    }

    private mutating func takeFrame() -> Frame? {
        guard let head = rest.getInteger(at: rest.readerIndex, as: UInt32.self),
            rest.readableBytes >= 9 + Int(head >> 8)
        else { return nil }
        rest.moveReaderIndex(forwardBy: 4)
        guard let flags = rest.readInteger(as: UInt8.self),
            let stream = rest.readInteger(as: UInt32.self),
            let payload = rest.readBytes(length: Int(head >> 8))
        else { return nil }
        return Frame(type: UInt8(head & 0xff), flags: flags, stream: stream, payload: payload)
    }

    func close() async { try? await channel.close() }
}
