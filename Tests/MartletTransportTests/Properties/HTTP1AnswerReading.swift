import NIOCore

@testable import MartletTransport

/// Whom an answer is for, as far as that changes how it is read.
struct HTTP1Asker: Equatable, CaseIterable {
    let isToHead: Bool
    let allowsUpgrade: Bool

    static let allCases = [
        HTTP1Asker(isToHead: false, allowsUpgrade: false),
        HTTP1Asker(isToHead: true, allowsUpgrade: false),
        HTTP1Asker(isToHead: false, allowsUpgrade: true),
    ]

    /// The request that is answered.
    var request: String {
        let upgrade = allowsUpgrade ? "connection: upgrade\r\nupgrade: websocket\r\n" : ""
        return "\(isToHead ? "HEAD" : "GET") / HTTP/1.1\r\nhost: a\r\n\(upgrade)\r\n"
    }
}

/// One answer of an upstream, as it was told of.
struct HTTP1AnswerReading: Equatable {
    private var reader: HTTP1AnswerReader
    private(set) var head: HTTP1AnswerHead?
    private(set) var content = PlainContent()
    private(set) var fault: HTTP1Fault?

    init(for asker: HTTP1Asker, limits: HTTP1Limits = HTTP1Limits()) {
        reader = HTTP1AnswerReader(limits: limits)
        reader.expect(isToHead: asker.isToHead, allowsUpgrade: asker.allowsUpgrade)
    }

    /// Whether the upstream's connection may serve another request.
    var isReusable: Bool { reader.isReusable && !reader.hasStrayBytes && content.isComplete }

    /// Awaits the answer to another request on the same connection.
    mutating func expectAnother(for asker: HTTP1Asker) {
        reader.expect(isToHead: asker.isToHead, allowsUpgrade: asker.allowsUpgrade)
        head = nil
        content = PlainContent()
    }

    mutating func receive(_ bytes: ByteBuffer) throws(BrokenProperty) {
        reader.receive(bytes)
        while fault == nil {
            let event: HTTP1AnswerEvent?
            do throws(HTTP1Fault) {
                event = try reader.next()
            } catch {
                fault = error
                break
            }
            guard let event else { return }
            try take(event)
        }
        // What follows a fault is nobody's.
        if let event = try? reader.next() { throw BrokenProperty("\(event) behind a fault") }
    }

    /// Notes that the upstream sends no more.
    mutating func end() throws(BrokenProperty) {
        guard reader.receiveEnd() else { return }
        try BrokenProperty.unless(!content.isComplete && fault == nil, "An answer ended twice")
        content.isComplete = true
    }

    private mutating func take(_ event: HTTP1AnswerEvent) throws(BrokenProperty) {
        try BrokenProperty.unless(!content.isComplete, "\(event) behind the end of an answer")
        switch event {
        case .head(let head, let isEnd):
            try BrokenProperty.unless(self.head == nil, "Two answers to one request")
            self.head = head
            content.isComplete = isEnd
        case .content(let bytes):
            try BrokenProperty.unless(head != nil, "Content without a head")
            content.bytes += bytes.readableBytesView
        case .end(let trailers):
            try BrokenProperty.unless(head != nil, "The end of an answer without a head")
            content.trailers += trailers.map { Array($0.readableBytesView) } ?? []
            content.isComplete = true
        case .whole(let head, let bytes):
            try BrokenProperty.unless(self.head == nil, "Two answers to one request")
            self.head = head
            content.bytes += bytes.readableBytesView
            content.isComplete = true
        }
    }

    static func == (left: HTTP1AnswerReading, right: HTTP1AnswerReading) -> Bool {
        left.head?.bytes == right.head?.bytes && left.content == right.content
            && left.fault?.status == right.fault?.status && left.isReusable == right.isReusable
    }
}

extension HTTP1AnswerReading: CustomStringConvertible {
    var description: String {
        let ending = fault.map { "failed \($0.status)" } ?? (isReusable ? "kept" : "not kept")
        return "\(head.map { "\($0.status)" } ?? "no head"), \(content), \(ending)"
    }
}
