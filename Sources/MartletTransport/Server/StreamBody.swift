import MartletCore
import NIOCore

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
