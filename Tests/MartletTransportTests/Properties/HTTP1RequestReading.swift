import NIOCore

@testable import MartletTransport

/// One request, as a connection told of it.
struct HTTP1ToldRequest: Equatable {
    let head: HTTP1Head
    var content = PlainContent()

    static func == (left: HTTP1ToldRequest, right: HTTP1ToldRequest) -> Bool {
        left.head.bytes == right.head.bytes && left.content == right.content
    }
}

/// A client's bytes against the server's side of a connection that answers each request by its own
/// content, as soon as it is complete.
struct HTTP1RequestReading: Equatable {
    private var connection: HTTP1Connection
    private(set) var requests: [HTTP1ToldRequest] = []
    private(set) var fault: HTTP1Fault?

    init(limits: HTTP1Limits = HTTP1Limits()) {
        connection = HTTP1Connection(limits: limits, keepsTrailers: true)
    }

    /// Whether the last answer was given.
    var isClosing: Bool { connection.isClosing }

    /// Whether all bytes were whole requests, and another may come.
    var isBetweenRequests: Bool { !isClosing && connection.awaited == .request }

    mutating func receive(_ bytes: ByteBuffer) throws(BrokenProperty) {
        connection.receive(bytes)
        while let event = connection.next() {
            try BrokenProperty.unless(!isClosing, "\(event) behind the last answer")
            try take(event)
        }
        try BrokenProperty.unless(!connection.isAnswerable, "A whole request was not told of")
    }

    private mutating func take(_ event: HTTP1Event) throws(BrokenProperty) {
        switch event {
        case .head(let head, let isEnd):
            try BrokenProperty.unless(open == nil, "A request began within another")
            requests.append(HTTP1ToldRequest(head: head))
            if isEnd { try finish() } else { connection.wantContent() }
        case .content(let bytes, let isEnd):
            guard let open else { throw BrokenProperty("Content of no request") }
            requests[open].content.bytes += bytes.readableBytesView
            if isEnd { try finish() }
        case .failed(let fault):
            try BrokenProperty.unless(self.fault == nil, "A connection failed twice")
            self.fault = fault
            try fail(fault)
        }
    }

    /// The place of the request that is not complete.
    private var open: Int? {
        requests.last?.content.isComplete == false ? requests.count - 1 : nil
    }

    private mutating func finish() throws(BrokenProperty) {
        guard let open else { throw BrokenProperty("The end of no request") }
        requests[open].content.isComplete = true
        requests[open].content.trailers =
            connection.trailers.map { Array($0.readableBytesView) } ?? []
        let content = requests[open].content.bytes
        connection.answer(HTTPResponse(status: 200, body: content))
        try checkAnswer(status: 200, content, isToHead: requests[open].head.isHead)
    }

    /// Behind a failure nothing is read, and the one answer to it is the last.
    private mutating func fail(_ fault: HTTP1Fault) throws(BrokenProperty) {
        try checkDeaf()
        let answer = fault.requestFault.httpResponse
        let isToHead = open.map { requests[$0].head.isHead } ?? false
        connection.refuse(answer)
        try checkAnswer(status: fault.status, answer.body, isToHead: isToHead)
        try BrokenProperty.unless(isClosing, "A connection goes on behind a failure")
        try checkDeaf()
    }

    private mutating func checkDeaf() throws(BrokenProperty) {
        let asker = HTTP1Asker(isToHead: false, allowsUpgrade: false)
        let count = connection.requestCount
        connection.receive(ByteBuffer(string: asker.request))
        let event = connection.next()
        try BrokenProperty.unless(
            event == nil && connection.requestCount == count && !connection.hasOutput,
            "What follows a failure is taken")
    }

    /// The answer that was given is read by the client as it was meant.
    private mutating func checkAnswer(
        status: Int, _ content: [UInt8], isToHead: Bool
    ) throws(BrokenProperty) {
        guard let output = connection.takeOutput() else { throw BrokenProperty("No answer") }
        let asker = HTTP1Asker(isToHead: isToHead, allowsUpgrade: false)
        var answer = HTTP1AnswerReading(for: asker)
        try answer.receive(output)
        let expected = PlainContent(bytes: isToHead ? [] : content, isComplete: true)
        try BrokenProperty.unless(
            answer.head?.status == status && answer.content == expected
                && answer.isReusable == !isClosing,
            "The answer \(status) is read as \(answer)")
    }

    static func == (left: HTTP1RequestReading, right: HTTP1RequestReading) -> Bool {
        left.requests == right.requests && left.fault?.status == right.fault?.status
            && left.isClosing == right.isClosing
    }
}

extension HTTP1RequestReading: CustomStringConvertible {
    var description: String {
        let told = requests.map { request in
            "\(request.head.method) \(request.head.path) \(request.content)"
        }
        let ending = fault.map { "failed \($0.status)" } ?? (isClosing ? "closing" : "open")
        return "\(told), \(ending)"
    }
}
