import MartletCore
import NIOCore
import NIOHPACK
import NIOHTTP2

/// The head of a request on a stream of the stock HTTP/2 stack.
struct StreamRequest {
    let head: RequestHead
    let context: RequestContext

    /// Reads a head; `requestTimeout` holds for what is no gRPC call.
    init(_ headers: HPACKHeaders, remoteAddress: String, requestTimeout: Duration? = nil) {
        head = RequestHead(headers)
        let start = ContinuousClock.now
        let timeout = head.isGRPC ? head.callTimeout : requestTimeout
        context = RequestContext(
            remoteAddress: remoteAddress, start: start,
            deadline: timeout.map { .after($0, now: start) } ?? .never)
    }

    var isGRPC: Bool { head.isGRPC }

    var method: String { head.method }

    var path: String { head.path }

    /// What is wrong with the head, if anything.
    func fault(limits: Limits) -> ServingError? { head.fault(limits: limits) }
}

/// What a stream has received behind its head.
enum StreamBody {
    case none
    case http(RequestBody)
    case grpc(GRPCUnaryReader)

    /// Begins the body that a head announces.
    init(of head: RequestHead, limits: Limits) throws(RequestFault) {
        self =
            if head.isGRPC {
                .grpc(GRPCUnaryReader(limits: limits, coding: try head.messageCoding()))
            } else {
                .http(try RequestBody(contentEncoding: head.contentEncodings, limits: limits))
            }
    }

    mutating func append(_ bytes: ByteBuffer) throws {
        // Taken out first: an array appended to inside an enum would be copied each time.
        switch take() {
        case .none: break
        case .http(var collected):
            try collected.append(bytes)
            self = .http(collected)
        case .grpc(var reader):
            try reader.append(bytes)
            self = .grpc(reader)
        }
    }

    /// The content, leaving nothing behind.
    mutating func take() -> StreamBody {
        defer { self = .none }
        return self
    }
}

/// Writes whole responses to HTTP/2 streams.
enum StreamResponse {
    /// Writes a response, without its body where `isHead`.
    static func write(
        _ response: HTTPResponse, isHead: Bool = false, to channel: any Channel
    ) {
        var headers = HPACKHeaders([(":status", String(response.status))])
        for field in response.headers.fields { headers.add(name: field.name, value: field.value) }
        headers.add(name: "date", value: HTTPDate.now())
        headers.add(name: "content-length", value: String(response.body.count))
        let hasBody = !isHead && !response.body.isEmpty
        write(.headers(.init(headers: headers, endStream: !hasBody)), to: channel)
        if hasBody {
            let buffer = channel.allocator.buffer(bytes: response.body)
            write(.data(.init(data: .byteBuffer(buffer), endStream: true)), to: channel)
        }
        channel.flush()
    }

    static func write(_ response: GRPCResponse, to channel: any Channel) {
        let headers = HPACKHeaders([
            (":status", "200"), ("content-type", GRPCFields.contentType),
        ])
        switch response {
        case .message(let message):
            write(.headers(.init(headers: headers)), to: channel)
            let frame = GRPCMessageWriter.frame(message, allocator: channel.allocator)
            write(.data(.init(data: .byteBuffer(frame))), to: channel)
            let trailers = HPACKHeaders([("grpc-status", "0")])
            write(.headers(.init(headers: trailers, endStream: true)), to: channel)
        case .failure(let code, let message):
            writeFailure(ServingError(code, message), to: channel)
            return
        }
        channel.flush()
    }

    /// Writes trailers only, as gRPC allows when there is no message.
    static func writeFailure(
        _ error: ServingError, fields: HeaderFields = [:], to channel: any Channel
    ) {
        var headers = HPACKHeaders([
            (":status", "200"), ("content-type", GRPCFields.contentType),
            ("grpc-status", String(error.code.rawValue)),
            ("grpc-message", GRPCFields.encodeMessage(error.message)),
        ])
        for field in fields.fields { headers.add(name: field.name, value: field.value) }
        write(.headers(.init(headers: headers, endStream: true)), to: channel)
        channel.flush()
    }

    /// Asks a client whose answer is complete to send no more (RFC 9113, section 8.1).
    static func stopRequest(on channel: any Channel) {
        channel.writeAndFlush(HTTP2Frame.FramePayload.rstStream(.noError), promise: nil)
    }

    private static func write(_ payload: HTTP2Frame.FramePayload, to channel: any Channel) {
        channel.write(payload, promise: nil)
    }
}
