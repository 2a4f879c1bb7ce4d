import NIOCore

@testable import MartletTransport

/// A client's bytes against the server's side of an HTTP/2 connection that answers each request by
/// its own content, as soon as it is complete.
struct HTTP2RequestReading: Equatable {
    enum Event: Equatable {
        case head(UInt32, method: String, path: String, fields: [String], isEnd: Bool)
        case data(UInt32, [UInt8], isEnd: Bool)
        case trailers(UInt32, [UInt8])
        case reset(UInt32)
        case sent(UInt32, Int)
        case pong
        case failed(HTTP2Code)
    }

    private var connection: HTTP2Connection
    private var streams = HTTP2ToldStreams()
    private var frames = HTTP2SentFrames()
    private var bodies: [UInt32: [UInt8]] = [:]
    private var receivedBytes = 0
    private(set) var events: [Event] = []
    private(set) var sent: [UInt8] = []

    init(limits: HTTP2Limits = HTTP2Limits()) throws(BrokenProperty) {
        connection = HTTP2Connection(limits: limits, now: .uptimeNanoseconds(1))
        try takeOutput()
    }

    /// Whether the connection has ended by an error.
    var hasFailed: Bool { connection.hasFailed }

    mutating func receive(_ bytes: ByteBuffer) throws(BrokenProperty) {
        receivedBytes += bytes.readableBytes
        let wasFailed = hasFailed
        connection.receive(bytes, now: .uptimeNanoseconds(2))
        while let event = connection.next() {
            try streams.take(event, limits: connection.limits)
            note(event)
        }
        try BrokenProperty.unless(
            !wasFailed || !connection.hasOutput, "Something was sent behind a failure")
        try takeOutput()
        try check()
    }

    private mutating func note(_ event: HTTP2Event) {
        switch event {
        case .head(let id, let head, let isEnd):
            events.append(
                .head(
                    id, method: head.method, path: head.path,
                    fields: head.fields.fields.map { "\($0.name): \($0.value)" }, isEnd: isEnd))
            bodies[id] = []
            if isEnd { answer(id) }
        case .data(let id, let bytes, let isEnd):
            if case .data(id, let before, isEnd: false)? = events.last {
                events[events.count - 1] = .data(id, before + bytes.readableBytesView, isEnd: isEnd)
            } else {
                events.append(.data(id, Array(bytes.readableBytesView), isEnd: isEnd))
            }
            bodies[id, default: []] += bytes.readableBytesView
            if isEnd { answer(id) }
        case .trailers(let id, let trailers):
            events.append(.trailers(id, trailers.block.bytes))
            answer(id)
        case .reset(let id): events.append(.reset(id))
        case .sent(let id, let count): events.append(.sent(id, count))
        case .pong: events.append(.pong)
        case .failed(let fault): events.append(.failed(fault.code))
        // Of these none is told at a server.
        case .answer, .unprocessed, .goAway: break
        }
    }

    private mutating func answer(_ id: UInt32) {
        let body = bodies.removeValue(forKey: id) ?? []
        connection.sendHead(FieldBlock([(":status", "200")]), on: id, isEnd: body.isEmpty)
        if !body.isEmpty { connection.sendData(body, on: id, isEnd: true) }
    }

    private mutating func takeOutput() throws(BrokenProperty) {
        guard let output = connection.takeOutput() else { return }
        sent += output.readableBytesView
        try frames.read(output)
    }

    private func check() throws(BrokenProperty) {
        try connection.checkState()
        try BrokenProperty.unless(
            hasFailed == streams.hasFailed && hasFailed == frames.hasFailed,
            "The connection has failed: \(hasFailed), told: \(streams.hasFailed), "
                + "sent: \(frames.hasFailed)")
        // Answers echo; all else that goes out answers a frame, and none is answered by more than
        // twice as much. The greeting and the last GOAWAY come on top.
        try BrokenProperty.unless(
            sent.count <= 3 * receivedBytes + 256,
            "\(sent.count) bytes were sent for \(receivedBytes)")
    }

    static func == (left: HTTP2RequestReading, right: HTTP2RequestReading) -> Bool {
        left.events == right.events && left.sent == right.sent
    }
}

extension HTTP2RequestReading: CustomStringConvertible {
    var description: String { "\(events), \(sent.count) bytes sent" }
}

extension HTTP2Connection {
    /// What holds at any time.
    func checkState() throws(BrokenProperty) {
        try BrokenProperty.unless(
            streams.count <= limits.concurrentStreams, "\(streams.count) streams are open")
        try BrokenProperty.unless(
            hasFailed
                || sendWindow >= 0 && sendWindow <= HTTP2Protocol.windowMax
                    && receiveWindow >= 0,
            "The windows are \(sendWindow) and \(receiveWindow)")
        for id in streams.streams where id > lastStream || id & 1 == 0 {
            throw BrokenProperty("Stream \(id) is open, the last is \(lastStream)")
        }
        let blockBytes = openBlock?.bytes.readableBytes ?? 0
        try BrokenProperty.unless(
            blockBytes <= limits.headerBlockBytes, "A block of \(blockBytes) bytes is kept")
        try BrokenProperty.unless(
            queue.count <= 2 * streams.count + 65, "\(queue.count) streams stand in line")
    }
}
