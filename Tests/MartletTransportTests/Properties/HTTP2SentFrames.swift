import NIOCore
import NIOHPACK

@testable import MartletTransport

/// What a connection has sent, read as a client reads it.
struct HTTP2SentFrames {
    private var rest = ByteBuffer()
    private var decoder = HPACKDecoder(
        allocator: ByteBufferAllocator(),
        maxDynamicTableSize: HTTP2Protocol.headerTableBytes, maxHeaderListSize: 1 << 20)
    /// The stream whose header block is not complete, and what there is of the block.
    private var block: (stream: UInt32, isEnd: Bool, bytes: ByteBuffer)?
    private var ended: Set<UInt32> = []
    private(set) var frameCount = 0

    /// Bytes that were sent, altogether.
    private(set) var byteCount = 0

    /// Whether the connection was ended by an error.
    private(set) var hasFailed = false

    /// Reads what was sent, which is of whole frames.
    mutating func read(_ output: ByteBuffer) throws(BrokenProperty) {
        byteCount += output.readableBytes
        rest = output
        while rest.readableBytes > 0 {
            guard let head = FrameHead(from: &rest),
                let payload = rest.readSlice(length: head.length)
            else { throw BrokenProperty("A frame was sent that is not whole") }
            try read(head, payload)
            frameCount += 1
        }
    }

    private mutating func read(_ head: FrameHead, _ payload: ByteBuffer) throws(BrokenProperty) {
        try BrokenProperty.unless(!hasFailed, "\(head) was sent behind the last GOAWAY")
        try BrokenProperty.unless(
            frameCount > 0 || head.kind == .settings, "The first frame is \(head)")
        try BrokenProperty.unless(
            block == nil || head.kind == .continuation, "\(head) interrupts a header block")
        switch head.kind {
        case .data:
            try BrokenProperty.unless(!ended.contains(head.stream), "\(head) behind the end")
            if head.flags.contains(.endStream) { ended.insert(head.stream) }
        case .headers:
            block = (head.stream, head.flags.contains(.endStream), payload)
            try finishBlock(head)
        case .continuation:
            try BrokenProperty.unless(block?.stream == head.stream, "\(head) of nothing")
            block?.bytes.writeImmutableBuffer(payload)
            try finishBlock(head)
        case .resetStream: ended.insert(head.stream)
        case .goAway:
            let code = payload.getInteger(at: payload.readerIndex + 4, as: UInt32.self)
            hasFailed = code != HTTP2Code.noError.rawValue
        case .settings, .ping, .windowUpdate: break
        default: throw BrokenProperty("Servers send no \(head)")
        }
    }

    private mutating func finishBlock(_ head: FrameHead) throws(BrokenProperty) {
        guard head.flags.contains(.endHeaders), var block else { return }
        self.block = nil
        try BrokenProperty.unless(!ended.contains(block.stream), "\(head) behind the end")
        if block.isEnd { ended.insert(block.stream) }
        do {
            _ = try decoder.decodeHeaders(from: &block.bytes)
        } catch {
            throw BrokenProperty("A header block was sent that cannot be decoded: \(error)")
        }
    }
}
