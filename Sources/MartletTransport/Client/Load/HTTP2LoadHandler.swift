import MartletCore
import NIOCore

/// An HTTP/2 connection of a lane: carries bytes to and from the core.
final class HTTP2LoadHandler: ChannelInboundHandler, LoadConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let lane: LoadLane
    private var connection: HTTP2ClientConnection
    private var context: ChannelHandlerContext?
    private var isEnding = false
    private let settled: EventLoopPromise<Void>
    private var isReadyTold = false

    /// Succeeds when the server has shown that it speaks HTTP/2.
    var isReady: EventLoopFuture<Void> { settled.futureResult }

    init(_ calls: GRPCLoadCalls, lane: LoadLane) {
        self.lane = lane
        settled = lane.eventLoop.makePromise()
        connection = HTTP2ClientConnection(
            calls, callsMax: lane.target.callsPerConnection,
            keepsAnswers: lane.target.keepsAnswers)
    }

    /// Gives up if the server's settings do not come in time.
    func awaitSettings(for timeout: TimeAmount) {
        lane.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            guard !self.connection.hasSettings else { return }
            self.settled.fail(
                ServingError(
                    .unavailable,
                    "\(self.lane.target.authority) does not answer; does it speak gRPC there?"))
            self.close()
        }
    }

    // MARK: LoadConnection

    var hasRoom: Bool { !isEnding && context != nil && connection.hasRoom }

    func send(_ request: Int, token: UInt64, now: UInt64) {
        connection.send(request, token: token, now: now)
    }

    func flush() {
        guard let context, let output = connection.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    func expire(sentBefore time: UInt64) {
        connection.expire(sentBefore: time)
        takeEvents()
        flush()
    }

    func close() {
        context?.close(promise: nil)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        fail()
    }

    func channelActive(context: ChannelHandlerContext) {
        flush()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return }
        connection.receive(unwrapInboundIn(data))
        lane.reading { takeEvents() }
        flush()
        guard !isReadyTold, connection.hasSettings else { return }
        isReadyTold = true
        settled.succeed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isEnding = true
        fail()
        lane.reading {
            connection.close()
            takeEvents()
        }
        lane.closed(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Resets come here too; the channel's end follows.
        context.close(promise: nil)
    }

    private func fail() {
        settled.fail(
            ServingError(
                .unavailable,
                "\(lane.target.authority) closed the connection; does it speak gRPC there?"))
    }

    // MARK: Events

    private func takeEvents() {
        while let event = connection.next() {
            switch event {
            case .ended(let token, let outcome, let bytes):
                lane.ended(token, outcome, bytes: bytes)
            case .received(let token, let bytes):
                lane.received(Array(bytes.readableBytesView), for: token)
            case .drained, .failed:
                flush()
                isEnding = true
                context?.close(promise: nil)
            }
        }
    }
}
