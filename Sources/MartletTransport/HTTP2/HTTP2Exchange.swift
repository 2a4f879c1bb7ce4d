import MartletCore
import NIOCore

/// One request on an HTTP/2 connection, until its answer has left.
final class HTTP2Exchange {
    enum State {
        /// Next: responding, sending.
        case receiving
        /// The responder works. Next: content, sending.
        case responding
        /// The answer's content comes in pieces. Next: sending.
        case content(ContentStream)
        /// A streaming gRPC call, which has a life of its own. Next: sending.
        case streaming(GRPCStreamSession)
        /// The answer waits for the client. Final.
        case sending
    }

    let head: RequestHead
    let context: RequestContext
    var state = State.receiving
    var body = StreamBody.none

    /// How the body comes, while it does.
    var pace: BodyPace?

    /// When the client stops waiting.
    let deadline: NIODeadline?

    /// When something is to be done, unless it is done before.
    var wakeAt: NIODeadline?

    init(
        _ head: RequestHead, remoteAddress: String, requestTimeout: Duration?,
        start: ContinuousClock.Instant, now: NIODeadline
    ) {
        self.head = head
        let timeout =
            head.isGRPC
            ? head.timeout : [requestTimeout, head.timeout].compactMap(\.self).min()
        context = RequestContext(
            remoteAddress: remoteAddress, start: start,
            deadline: timeout.map { .after($0, now: start) } ?? .never)
        deadline = timeout.map { now + TimeAmount($0) }
    }

    func httpRequest(body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: head.method, path: head.path, query: head.query, authority: head.authority,
            headers: head.fields, body: body, context: context)
    }

    func grpcCall(message: [UInt8]) -> GRPCCall {
        GRPCCall(path: head.path, metadata: head.fields, message: message, context: context)
    }

    var streamStart: GRPCStreamStart {
        GRPCStreamStart(path: head.path, metadata: head.fields, context: context)
    }
}
