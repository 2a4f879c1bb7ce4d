import NIOCore

/// A keep-alive connection of a lane: one request at a time.
final class HTTP1LoadHandler: ChannelInboundHandler, LoadConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Most of a refusal's content that is kept to be shown.
    private static let textBytesMax = 4096

    private let requests: [ByteBuffer]
    private let lane: LoadLane
    private let keepsAnswers: Bool
    private var context: ChannelHandlerContext?
    private var reader = HTTP1ResponseReader()

    private var current: (token: UInt64, sentAt: UInt64)?
    private var toSend: ByteBuffer?
    private var status = 0
    private var byteCount = 0
    private var text: [UInt8] = []
    private var isEnded = false

    init(_ requests: [ByteBuffer], lane: LoadLane) {
        self.requests = requests
        self.lane = lane
        keepsAnswers = lane.target.keepsAnswers
    }

    // MARK: LoadConnection

    var hasRoom: Bool { current == nil && !isEnded && context != nil }

    func send(_ request: Int, token: UInt64, now: UInt64) {
        current = (token, now)
        toSend = requests[request]
        byteCount = 0
    }

    func flush() {
        guard let bytes = toSend else { return }
        toSend = nil
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func expire(sentBefore time: UInt64) {
        guard let current, current.sentAt < time else { return }
        // The answer may still come, and would be taken for the next one's.
        end(.failed(.timedOut))
    }

    func close() {
        context?.close(promise: nil)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        reader.receive(unwrapInboundIn(data))
        lane.reading {
            while !isEnded, let event = reader.next() { take(event) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        lane.reading {
            if !isEnded, let event = reader.receiveEnd() { take(event) }
            end(.failed(.closed))
        }
        lane.closed(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Resets come here too; the channel's end follows.
        context.close(promise: nil)
    }

    // MARK: Answers

    private func take(_ event: HTTP1ResponseReader.Event) {
        switch event {
        case .head(let status):
            guard current != nil else { return end(.failed(.malformed("An answer to no request"))) }
            self.status = status
            text.removeAll(keepingCapacity: true)
            reader.wantsBody = keepsAnswers || status >= 300
        case .body(let bytes, let count): takeBody(bytes, count)
        case .end(let isReusable):
            guard let (token, _) = current else { return }
            let bytes = byteCount
            current = nil
            if !isReusable { leave() }
            lane.ended(token, outcome, bytes: bytes)
        case .malformed(let text): end(.failed(.malformed(text)))
        }
    }

    private func takeBody(_ bytes: ByteBuffer?, _ count: Int) {
        byteCount += count
        guard let bytes, let (token, _) = current else { return }
        if status >= 300 {
            let room = HTTP1LoadHandler.textBytesMax - text.count
            text.append(contentsOf: bytes.readableBytesView.prefix(max(0, room)))
        } else {
            lane.received(Array(bytes.readableBytesView), for: token)
        }
    }

    private var outcome: LoadOutcome {
        guard status >= 300 else { return .success }
        return .refused(code: status, text: String(decoding: text, as: UTF8.self))
    }

    /// Ends the connection, and the request on it if there is one.
    private func end(_ outcome: LoadOutcome) {
        // Closing tells of the channel's end at once, which must not find the request any more.
        let token = current?.token
        current = nil
        leave()
        if let token { lane.ended(token, outcome, bytes: byteCount) }
    }

    private func leave() {
        guard !isEnded else { return }
        isEnded = true
        context?.close(promise: nil)
    }
}
