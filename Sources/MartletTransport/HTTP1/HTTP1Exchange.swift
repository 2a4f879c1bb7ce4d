import MartletCore
import NIOCore

/// One request on an HTTP/1.1 connection, until its answer is given.
struct HTTP1Exchange {
    enum State {
        /// Next: responding.
        case receiving
        /// The responder works. Next: streaming.
        case responding
        /// The answer's content comes in pieces. Final.
        case streaming(ContentStream)
    }

    let head: HTTP1Head
    let context: RequestContext

    /// Tells the answer to this request from a late one to a request before it.
    let number: Int

    /// When the client stops waiting.
    let deadline: NIODeadline?

    var state = State.receiving

    init(
        _ head: HTTP1Head, number: Int, remoteAddress: String, timeout: Duration?,
        start: ContinuousClock.Instant, now: NIODeadline
    ) {
        self.head = head
        self.number = number
        let timeout = [timeout, head.timeout.duration].compactMap(\.self).min()
        context = RequestContext(
            remoteAddress: remoteAddress, start: start,
            deadline: timeout.map { .after($0, now: start) } ?? .never)
        deadline = timeout.map { now + TimeAmount($0) }
    }

    /// The whole request.
    func request(body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: head.method, path: head.path, query: head.query, headers: HeaderFields(head),
            body: body, context: context)
    }
}
