import NIOCore

@testable import MartletTransport

/// The streams that a connection has told of, each with what may follow.
struct HTTP2ToldStreams {
    private struct Stream {
        let contentLength: Int?
        var contentBytes = 0
        var hasEnded = false
        var isReset = false
    }

    private var streams: [UInt32: Stream] = [:]
    private var last: UInt32 = 0
    private(set) var hasFailed = false

    /// Takes what was told next, and sees to it that it may come next.
    mutating func take(
        _ event: HTTP2Event, limits: HTTP2Limits
    ) throws(BrokenProperty) {
        try BrokenProperty.unless(!hasFailed, "\(event) behind a failure")
        switch event {
        case .head(let id, let head, let isEnd):
            try BrokenProperty.unless(id > last && id & 1 == 1, "\(id) began behind \(last)")
            try BrokenProperty.unless(
                head.malformation == nil && head.listBytes <= limits.headerBlockBytes,
                "A head of \(head.listBytes) bytes was told of: \(head.malformation ?? "good")")
            try HTTP2ToldStreams.check(head.fields)
            try BrokenProperty.unless(!head.method.isEmpty, "A request without a method")
            last = id
            streams[id] = Stream(contentLength: head.contentLength, hasEnded: isEnd)
            if isEnd { try checkLength(of: id) }
        case .data(let id, let bytes, let isEnd):
            try goOn(id, bytes: bytes.readableBytes, isEnd: isEnd)
        case .trailers(let id, let trailers):
            try BrokenProperty.unless(trailers.malformation == nil, "Malformed trailers")
            try goOn(id, bytes: 0, isEnd: true)
        case .reset(let id):
            try BrokenProperty.unless(
                streams[id]?.isReset == false, "\(id) was reset, which is not there")
            streams[id]?.isReset = true
        case .sent(let id, let count):
            try BrokenProperty.unless(
                streams[id] != nil && count >= 0, "\(count) bytes were sent on \(id)")
        case .failed: hasFailed = true
        case .pong: break
        case .answer, .unprocessed, .goAway: throw BrokenProperty("A server was answered")
        }
    }

    private mutating func goOn(
        _ id: UInt32, bytes count: Int, isEnd: Bool
    ) throws(BrokenProperty) {
        guard let stream = streams[id], !stream.hasEnded, !stream.isReset else {
            throw BrokenProperty("Content of \(id), which is not open")
        }
        streams[id]?.contentBytes += count
        streams[id]?.hasEnded = isEnd
        if isEnd { try checkLength(of: id) }
    }

    /// RFC 9113, sections 8.2 and 8.3: what would be another message in HTTP/1.1 is none here.
    private static func check(_ fields: HeaderFields) throws(BrokenProperty) {
        let ofOneHop = [
            "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        ]
        for (name, value) in fields.fields {
            let isName = name.utf8.allSatisfy { byte in
                byte > 0x20 && byte < 0x7F && !(0x41...0x5A).contains(byte) && byte != 0x3A
            }
            let isValue = value.utf8.allSatisfy { $0 != 0 && $0 != 0x0A && $0 != 0x0D }
            try BrokenProperty.unless(
                isName && isValue && !name.isEmpty && !ofOneHop.contains(name),
                "The field '\(name): \(value)' was told of")
        }
    }

    /// RFC 9113, section 8.1.1.
    private func checkLength(of id: UInt32) throws(BrokenProperty) {
        guard let stream = streams[id], let length = stream.contentLength else { return }
        try BrokenProperty.unless(
            length == stream.contentBytes,
            "\(id) has \(stream.contentBytes) bytes and says \(length)")
    }
}
