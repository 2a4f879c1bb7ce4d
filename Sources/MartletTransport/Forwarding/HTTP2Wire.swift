import MartletCore
import NIOCore
import NIOHPACK
import NIOHTTP2

/// HTTP/2 as the gateway forwards it, gRPC included.
enum HTTP2Wire: ForwardingWire {
    typealias RequestHead = HPACKHeaders
    typealias ResponseHead = HPACKHeaders
    typealias Trailers = HPACKHeaders

    static func httpStatus(of head: HPACKHeaders) -> Int {
        head.first(name: ":status").flatMap { Int($0) } ?? 0
    }

    static func isStream(_ head: HPACKHeaders) -> Bool {
        head.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
    }

    static func fields(of head: HPACKHeaders) -> HeaderFields {
        let length = "content-length"
        return HeaderFields(
            head.compactMap { name, value, _ in
                name.hasPrefix(":") || name == length || name == "date"
                    ? nil : (name: name, value: value)
            })
    }

    static func grpcStatus(head: HPACKHeaders?, trailers: HPACKHeaders?) -> StatusCode? {
        guard let text = (trailers ?? head)?.first(name: "grpc-status"), let number = Int(text)
        else { return nil }
        return StatusCode(rawValue: number) ?? .unknown
    }
}

extension HTTP2Frame.FramePayload {
    /// The frame that carries a part of a message.
    init(_ part: MessagePart<HPACKHeaders, HPACKHeaders>) {
        switch part {
        case .head(let headers, let isEnd):
            self = .headers(.init(headers: headers, endStream: isEnd))
        case .body(let bytes): self = .data(.init(data: .byteBuffer(bytes)))
        case .end(.some(let trailers)):
            self = .headers(.init(headers: trailers, endStream: true))
        case .end(.none):
            self = .data(.init(data: .byteBuffer(ByteBuffer()), endStream: true))
        }
    }
}

extension HPACKHeaders {
    /// The same with changes.
    func changed(by changes: FieldChanges) -> HPACKHeaders {
        guard !changes.isEmpty else { return self }
        var changed = HPACKHeaders(
            filter { !changes.removed.contains($0.name) }.map { ($0.name, $0.value) })
        for field in changes.added { changed.add(name: field.name, value: field.value) }
        return changed
    }
}
