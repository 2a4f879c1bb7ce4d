import MartletCore
import NIOCore
import NIOHPACK

@testable import MartletTransport

/// A client's bytes against the core, and what both sides saw, as lines of text.
struct HTTP2Dialogue {
    var connection: HTTP2Connection
    /// Whether requests are answered as soon as they are complete, by their own content.
    var answers = true
    /// What the core told.
    private(set) var events: [String] = []
    /// What it sent.
    private(set) var sent: [String] = []
    private(set) var sentBytes: [UInt8] = []
    private var reader = FrameTranscript()
    private var bodies: [UInt32: [UInt8]] = [:]
    private(set) var now = NIODeadline.uptimeNanoseconds(1)

    init(role: HTTP2Connection.Role = .server, limits: HTTP2Limits = HTTP2Limits()) {
        connection = HTTP2Connection(role: role, limits: limits, now: .uptimeNanoseconds(1))
        collect()
    }

    /// A dialogue whose greeting is done, and forgotten.
    static func begun(
        limits: HTTP2Limits = HTTP2Limits(), settings: [(UInt16, UInt32)] = []
    ) -> HTTP2Dialogue {
        var dialogue = HTTP2Dialogue(limits: limits)
        dialogue.receive([.preface, .settings(settings), .settingsAck])
        dialogue.forget()
        return dialogue
    }

    /// A dialogue of a client whose greeting is done, and forgotten.
    static func client(
        limits: HTTP2Limits = .upstream, settings: [(UInt16, UInt32)] = []
    ) -> HTTP2Dialogue {
        var dialogue = HTTP2Dialogue(role: .client, limits: limits)
        dialogue.receive([.settings(settings), .settingsAck])
        dialogue.forget()
        return dialogue
    }

    mutating func forget() {
        events = []
        sent = []
    }

    mutating func wait(_ amount: TimeAmount) { now = now + amount }

    mutating func receive(_ bytes: ClientBytes) {
        connection.receive(ByteBuffer(bytes: bytes.bytes), now: now)
        drainEvents()
    }

    /// Does something to the connection and takes what comes of it.
    mutating func act(_ action: (inout HTTP2Connection) -> Void) {
        action(&connection)
        drainEvents()
    }

    private mutating func drainEvents() {
        while let event = connection.next() { note(event) }
        collect()
    }

    private mutating func note(_ event: HTTP2Event) {
        switch event {
        case .head(let stream, let head, let isEnd):
            events.append("head \(stream) \(head.method) \(head.path)\(isEnd ? " end" : "")")
            bodies[stream] = []
            if isEnd { answer(stream) }
        case .data(let stream, let bytes, let isEnd):
            events.append("data \(stream) \(bytes.readableBytes)\(isEnd ? " end" : "")")
            bodies[stream, default: []] += bytes.readableBytesView
            if isEnd { answer(stream) }
        case .answer(let stream, let head, let isEnd):
            events.append("answer \(stream) \(head.status)\(isEnd ? " end" : "")")
        case .trailers(let stream, let trailers):
            let status = trailers.grpcStatus.map { " \($0.rawValue)" } ?? ""
            events.append("trailers \(stream)\(status)")
            answer(stream)
        case .reset(let stream): events.append("reset \(stream)")
        case .unprocessed(let stream): events.append("unprocessed \(stream)")
        case .goAway: events.append("go away")
        case .sent(let stream, let count): events.append("sent \(stream) \(count)")
        case .pong: events.append("pong")
        case .failed(let fault): events.append("failed \(fault.code)")
        }
    }

    private mutating func answer(_ stream: UInt32) {
        guard answers, connection.role == .server else { return }
        let body = bodies.removeValue(forKey: stream) ?? []
        connection.sendHead(
            FieldBlock([(":status", "200")]), on: stream, isEnd: body.isEmpty)
        if !body.isEmpty { connection.sendData(body, on: stream, isEnd: true) }
    }

    mutating func collect() {
        guard var output = connection.takeOutput() else { return }
        if connection.role == .client, sentBytes.isEmpty {
            output.moveReaderIndex(forwardBy: HTTP2Protocol.preface.count)
        }
        sentBytes += output.readableBytesView
        sent += reader.read(output)
    }
}

/// Frames as lines of text.
struct FrameTranscript {
    private var rest = ByteBuffer()
    private var decoder = HPACKDecoder(
        allocator: ByteBufferAllocator(), maxDynamicTableSize: 4096, maxHeaderListSize: 1 << 20)
    private var block: (line: String, bytes: ByteBuffer)?

    mutating func read(_ bytes: ByteBuffer) -> [String] {
        var bytes = bytes
        rest.writeBuffer(&bytes)
        var lines: [String] = []
        while true {
            let start = rest.readerIndex
            guard let head = FrameHead(from: &rest),
                let payload = rest.readSlice(length: head.length)
            else {
                rest.moveReaderIndex(to: start)
                return lines
            }
            if let line = line(head, payload) { lines.append(line) }
        }
    }

    private mutating func line(_ head: FrameHead, _ content: ByteBuffer) -> String? {
        var payload = content
        let end = head.flags.contains(.endStream) ? " end" : ""
        func code() -> String {
            let raw = payload.readInteger(as: UInt32.self) ?? .max
            return HTTP2Code(rawValue: raw).map { "\($0)" } ?? "\(raw)"
        }
        func number() -> UInt32 { payload.readInteger(as: UInt32.self) ?? .max }
        switch head.kind {
        case .data: return "DATA \(head.stream) \(head.length)\(end)"
        case .headers:
            block = ("HEADERS \(head.stream)\(end)", payload)
            return finishBlock(head)
        case .continuation:
            block?.bytes.writeBuffer(&payload)
            return finishBlock(head)
        case .settings: return head.flags.contains(.acknowledge) ? "SETTINGS ack" : "SETTINGS"
        case .resetStream: return "RST_STREAM \(head.stream) \(code())"
        case .ping:
            let data = payload.readInteger(as: UInt64.self) ?? 0
            return head.flags.contains(.acknowledge) ? "PING ack \(data)" : "PING \(data)"
        case .goAway:
            let last = number()
            return "GOAWAY \(last) \(code())"
        case .windowUpdate: return "WINDOW_UPDATE \(head.stream) \(number())"
        default: return "frame \(head.kind.rawValue)"
        }
    }

    private mutating func finishBlock(_ head: FrameHead) -> String? {
        guard head.flags.contains(.endHeaders), var block else { return nil }
        self.block = nil
        guard let headers = try? decoder.decodeHeaders(from: &block.bytes) else {
            return block.line + " undecodable"
        }
        return block.line + headers.map { " \($0.name)=\($0.value)" }.joined()
    }
}
