import MartletCore
import NIOCore

/// What a version of HTTP calls its heads and trailers; bodies are bytes in all.
protocol ForwardingWire: SendableMetatype {
    associatedtype RequestHead
    associatedtype ResponseHead
    associatedtype Trailers

    /// The status in a response's head.
    static func httpStatus(of head: ResponseHead) -> Int

    /// Whether the content of a response is to be passed on as it comes, whatever its length.
    static func isStream(_ head: ResponseHead) -> Bool

    /// Whether the gateway may add to the content of a response: its length is not told beforehand,
    /// and it is not coded.
    static func takesMore(_ head: ResponseHead) -> Bool

    /// The fields of a response that are for its client.
    static func fields(of head: ResponseHead) -> HeaderFields

    /// The fields behind a gRPC answer; `nil` by versions of HTTP that it does not come by.
    static func fields(behind trailers: Trailers) -> HeaderFields?

    /// The gRPC status, in trailers or in the head of a response without a message.
    static func grpcStatus(head: ResponseHead?, trailers: Trailers?) -> StatusCode?
}

/// A piece of a request or a response.
enum MessagePart<Head, Trailers> {
    case head(Head, isEnd: Bool)
    case body(ByteBuffer)
    case end(Trailers?)
    /// A head and all that follows it, where it came in one piece.
    case whole(Head, ByteBuffer)

    var byteCount: Int {
        switch self {
        case .head, .end: 0
        case .body(let bytes), .whole(_, let bytes): bytes.readableBytes
        }
    }

    var isEnd: Bool {
        switch self {
        case .head(_, let isEnd): isEnd
        case .body: false
        case .end, .whole: true
        }
    }
}

/// A piece of a request.
typealias RequestPart<Wire: ForwardingWire> = MessagePart<Wire.RequestHead, Wire.Trailers>

/// A piece of a response.
typealias ResponsePart<Wire: ForwardingWire> = MessagePart<Wire.ResponseHead, Wire.Trailers>
