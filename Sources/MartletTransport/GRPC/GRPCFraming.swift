import MartletCore
import NIOCore

/// Takes length-prefixed messages out of a gRPC stream's bytes, decompressed.
///
/// The format is a byte that tells whether the message is compressed, four bytes of length in
/// network order, and the message:
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
struct GRPCMessageReader {
    static let prefixLength = 5

    private let limits: Limits
    private let coding: ContentCoding
    private var prefix: [UInt8] = []
    private var expected: Int?
    private var received = 0
    private var inflater: Inflater?
    private var message: [UInt8] = []

    init(limits: Limits, coding: ContentCoding = .identity) {
        self.limits = limits
        self.coding = coding
    }

    /// Whether all messages that have begun were also read.
    var isBetweenMessages: Bool { prefix.isEmpty }

    /// What has come of the message that is being read, for error messages.
    var progress: String {
        "\(received) of \(expected.map(String.init) ?? "unknown") bytes arrived"
    }

    /// Takes bytes until they end or a message is whole, and returns that.
    ///
    /// - Throws: `ServingError`: `RESOURCE_EXHAUSTED` for a message over a limit, `INTERNAL` for
    ///   one that is not framed or compressed as the call said.
    mutating func next(from bytes: inout ByteBuffer) throws -> [UInt8]? {
        if let message = whole(from: &bytes) { return message }
        while expected == nil, let byte = bytes.readInteger(as: UInt8.self) {
            prefix.append(byte)
            if prefix.count == GRPCMessageReader.prefixLength { try begin() }
        }
        guard let expected else { return nil }
        let count = min(expected - received, bytes.readableBytes)
        if count > 0, let part = bytes.readSlice(length: count) { try append(part) }
        return received == expected ? try finish() : nil
    }

    /// Takes a message that has come as a whole and needs no decompression, as most do.
    private func whole(from bytes: inout ByteBuffer) -> [UInt8]? {
        guard prefix.isEmpty,
            let flag = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self), flag == 0,
            let count = bytes.getInteger(at: bytes.readerIndex + 1, as: UInt32.self),
            Int(count) <= limits.messageBytes,
            bytes.readableBytes >= GRPCMessageReader.prefixLength + Int(count)
        else { return nil }
        bytes.moveReaderIndex(forwardBy: GRPCMessageReader.prefixLength)
        return bytes.readBytes(length: Int(count))
    }

    private mutating func begin() throws {
        switch prefix[0] {
        case 0: inflater = nil
        case 1 where coding != .identity: try startInflater()
        case 1:
            throw ServingError(
                .internal, "A message is compressed, but the call has no grpc-encoding")
        default:
            throw ServingError(
                .internal, "A message begins with \(prefix[0]); only 0 and 1 are known")
        }
        let length = prefix[1...].reduce(0) { $0 << 8 | Int($1) }
        guard length <= limits.messageBytes else {
            throw ServingError(
                .resourceExhausted,
                "Received message larger than max (\(length) vs. \(limits.messageBytes)); "
                    + "the limit is set by --max-message-bytes")
        }
        expected = length
        received = 0
        // Grown as bytes arrive: a length alone must not make us allocate.
        message.reserveCapacity(min(length, 1 << 20))
    }

    private mutating func append(_ part: ByteBuffer) throws {
        received += part.readableBytes
        guard let inflater else {
            message.append(contentsOf: part.readableBytesView)
            return
        }
        do {
            try part.withUnsafeReadableBytes { try inflater.append($0, to: &message) }
        } catch let failure as Inflater.Failure {
            message = []
            throw error(failure)
        }
    }

    private mutating func finish() throws -> [UInt8] {
        guard inflater?.isComplete ?? true else {
            throw ServingError(.internal, "A compressed message ends early")
        }
        defer {
            prefix = []
            expected = nil
            inflater = nil
            message = []
        }
        return message
    }

    private mutating func startInflater() throws {
        do {
            inflater = try Inflater(coding, limits: limits.expansion)
        } catch {
            throw self.error(error)
        }
    }

    private func error(_ failure: Inflater.Failure) -> ServingError {
        switch failure {
        case .corrupt: ServingError(.internal, "A compressed message is damaged")
        case .tooLarge:
            ServingError(
                .resourceExhausted,
                "Received message larger than max (decompressed, vs. \(limits.messageBytes)); "
                    + "the limit is set by --max-message-bytes")
        case .ratio:
            ServingError(
                .resourceExhausted,
                "Received message expands to more than \(limits.decompressionRatio) times its "
                    + "size; the limit is set by --max-decompression-ratio")
        case .memory:
            ServingError(.unavailable, "No memory to decompress the message; try again")
        }
    }
}

/// Takes the one message of a unary call.
struct GRPCUnaryReader {
    private var reader: GRPCMessageReader
    private var message: [UInt8]?

    init(limits: Limits, coding: ContentCoding = .identity) {
        reader = GRPCMessageReader(limits: limits, coding: coding)
    }

    /// The message of a call whose bytes are exactly one, uncompressed and within the limits.
    static func message(_ bytes: ByteBuffer, limits: Limits) -> [UInt8]? {
        let start = bytes.readerIndex
        guard bytes.getInteger(at: start, as: UInt8.self) == 0,
            let count = bytes.getInteger(at: start + 1, as: UInt32.self),
            Int(count) <= limits.messageBytes,
            bytes.readableBytes == GRPCMessageReader.prefixLength + Int(count)
        else { return nil }
        return bytes.getBytes(at: start + GRPCMessageReader.prefixLength, length: Int(count))
    }

    /// Takes the next bytes of the stream.
    ///
    /// - Throws: `ServingError`, as `GRPCMessageReader`; `UNIMPLEMENTED` for a second message.
    mutating func append(_ bytes: ByteBuffer) throws {
        var bytes = bytes
        if message == nil { message = try reader.next(from: &bytes) }
        guard bytes.readableBytes == 0 else {
            throw ServingError(.unimplemented, "This method takes a single request message")
        }
    }

    /// The message, once the stream ended.
    ///
    /// - Throws: `ServingError` (`INTERNAL`, as gRPC's own servers answer) when it is incomplete.
    mutating func finish() throws -> [UInt8] {
        guard let message else {
            throw ServingError(
                .internal, "The stream ended inside a message: \(reader.progress)")
        }
        return message
    }
}

/// Puts the frame of a gRPC message before its bytes.
enum GRPCMessageWriter {
    static func frame(_ message: [UInt8], allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: message.count + 5)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(truncatingIfNeeded: message.count))
        buffer.writeBytes(message)
        return buffer
    }
}
