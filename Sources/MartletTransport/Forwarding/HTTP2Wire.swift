import MartletCore
import MartletTelemetry
import NIOCore

/// HTTP/2 as the gateway forwards it, gRPC included.
enum HTTP2Wire: ForwardingWire {
    typealias RequestHead = HTTP2ForwardedHead
    typealias ResponseHead = AnswerHead
    typealias Trailers = FieldTrailers

    /// Bytes that may wait on one stream before whoever sends them is held up.
    static let waitingMax = 256 * 1024

    /// Bytes that may still wait when it goes on.
    static let waitingMin = 64 * 1024

    static func httpStatus(of head: AnswerHead) -> Int { head.status }

    static func isStream(_ head: AnswerHead) -> Bool { head.isStream }

    static func takesMore(_ head: AnswerHead) -> Bool {
        head.contentLength == nil && head.fields.first("content-encoding") == nil
    }

    static func fields(of head: AnswerHead) -> HeaderFields {
        HeaderFields(head.fields.fields.filter { $0.name != "content-length" && $0.name != "date" })
    }

    static func fields(behind trailers: FieldTrailers) -> HeaderFields? { trailers.fields }

    static func grpcStatus(head: AnswerHead?, trailers: FieldTrailers?) -> StatusCode? {
        trailers.map(\.grpcStatus) ?? head?.grpcStatus
    }
}

/// A request's head as upstreams get it; made once for requests that are all the same.
final class HTTP2ForwardedHead {
    let block: FieldBlock
    /// Whether the answer is a head alone.
    let isHead: Bool

    /// The field that tells upstreams how long the client still waits, of which each attempt says
    /// what it has itself; `nil` where the client has not said so.
    private let timeoutName: String?
    private let head: RequestHead
    private let clientAddress: String?
    private let changes: ForwardingChanges?
    private var lastHTTP1: (hasContent: Bool, head: HTTP1ForwardedHead)?

    /// Makes what an upstream gets of a client's head.
    ///
    /// - Parameters:
    ///   - head: the client's head.
    ///   - clientAddress: goes behind what `x-forwarded-for` says already.
    ///   - changes: what the policy changes.
    init(_ head: RequestHead, clientAddress: String?, changes: ForwardingChanges?) {
        var block = FieldBlock([(":method", head.method)])
        if head.method != "CONNECT" {
            let target = head.hasQuery ? "?" + head.query : ""
            block.add(":scheme", head.scheme)
            block.add(":path", (changes?.path ?? head.path) + target)
        }
        if let authority = head.authority { block.add(":authority", authority) }
        var fields = changes?.request ?? FieldChanges()
        let timeoutName = head.isGRPC ? "grpc-timeout" : RequestTimeout.name
        let tellsTimeLeft = head.timeout != nil && !fields.removed.contains(timeoutName)
        self.timeoutName = tellsTimeLeft ? timeoutName : nil
        if tellsTimeLeft { fields.removed.insert(timeoutName) }
        if let length = changes?.contentLength {
            fields.removed.insert("content-length")
            fields.added.append(.init("content-length", String(length)))
        }
        // Whose a request is, the gateway says itself.
        if head.fields.first(GatewayFields.tenant) != nil {
            fields.removed.insert(GatewayFields.tenant)
        }
        block.add(head.fields, sensitive: head.sensitiveFields, changedBy: fields)
        if let clientAddress { block.add("x-forwarded-for", clientAddress) }
        self.block = block
        isHead = head.method == "HEAD"
        self.head = head
        self.clientAddress = clientAddress
        self.changes = changes
    }

    /// The same for an upstream that does not speak HTTP/2; `nil` where HTTP/1.1 cannot say it.
    ///
    /// `hasContent` says whether anything follows.
    func http1(hasContent: Bool) -> HTTP1ForwardedHead? {
        if let lastHTTP1, lastHTTP1.hasContent == hasContent { return lastHTTP1.head }
        guard let head = head.http1(hasContent: hasContent) else { return nil }
        let forwarded = HTTP1ForwardedHead(head, clientAddress: clientAddress, changes: changes)
        lastHTTP1 = (hasContent, forwarded)
        return forwarded
    }

    /// The same for one attempt.
    ///
    /// - Parameters:
    ///   - asksForLoad: whether the upstream is asked for its load along with the answer.
    ///   - timeLeft: how long the client still waits; `nil` where it has not said so.
    /// - Returns: the fields of its head.
    func block(asksForLoad: Bool, timeLeft: Duration?) -> FieldBlock {
        guard asksForLoad || timeoutName != nil && timeLeft != nil else { return block }
        var block = block
        if let timeoutName, let timeLeft {
            let text =
                head.isGRPC ? GRPCFields.textLeft(timeLeft) : RequestTimeout.text(timeLeft)
            block.add(timeoutName, text)
        }
        if asksForLoad { block.add(LoadReport.requestHeaderName, LoadReport.Form.text.rawValue) }
        return block
    }
}
