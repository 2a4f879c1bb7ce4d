import NIOCore
import NIOHTTP2

/// Stands between the HTTP/2 library and the wire, for what the library does not offer.
///
/// It sends GOAWAY past the library, and knows whether the library has given the connection up,
/// which its errors do not tell from faults of one stream.
final class HTTP2WireHandler: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private static let goAwayPayload: UInt32 = 8
    private static let goAwayHead: UInt64 = UInt64(goAwayPayload) << 40 | 7 << 32
    private static let goAwayLength = 9 + Int(goAwayPayload)

    private var context: ChannelHandlerContext?

    /// Whether the library has sent a GOAWAY with an error.
    private(set) var hasFailed = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .byteBuffer(let frame) = unwrapOutboundIn(data),
            frame.readableBytes == Self.goAwayLength,
            frame.getInteger(at: frame.readerIndex, as: UInt64.self) == Self.goAwayHead
        {
            hasFailed = true
        }
        context.write(data, promise: promise)
    }

    /// Sends a GOAWAY without an error, of which the library does not know.
    func sendGoAway(lastStream: HTTP2StreamID) {
        guard let context else { return }
        var frame = context.channel.allocator.buffer(capacity: Self.goAwayLength)
        frame.writeMultipleIntegers(Self.goAwayHead, UInt8(0))
        frame.writeMultipleIntegers(UInt32(Int(lastStream)), UInt32(0))
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
    }
}
