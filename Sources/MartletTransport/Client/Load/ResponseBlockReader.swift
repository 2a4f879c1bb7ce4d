import NIOCore
import NIOHPACK

/// What a header block of a server says that a gRPC client has to know.
struct GRPCResponseFields: Sendable, Equatable {
    /// `:status`, in the head of an answer.
    var httpStatus: Int?

    /// `grpc-status`, at its end.
    var grpcStatus: Int?

    /// `grpc-message`, decoded.
    var message = ""

    init(_ headers: HPACKHeaders) {
        for (name, value, _) in headers {
            switch name {
            case ":status": httpStatus = Int(value)
            case "grpc-status": grpcStatus = Int(value)
            case "grpc-message": message = value.removingPercentEncoding
            default: break
            }
        }
    }

    init(httpStatus: Int? = nil, grpcStatus: Int? = nil, message: String = "") {
        self.httpStatus = httpStatus
        self.grpcStatus = grpcStatus
        self.message = message
    }
}

/// Decodes header blocks of a server, and knows again those that came before.
///
/// As ``HeaderBlockReader`` does for a server: a block that leaves the table alone means the same
/// as long as the table stays as it is.
struct ResponseBlockReader {
    private struct Known {
        let block: [UInt8]
        let fields: GRPCResponseFields
    }

    private static let knownMax = 8
    private static let knownBytesMax = 512

    private var decoder: HPACKDecoder
    private var known: [Known] = []
    private var oldest = 0

    init(listBytesMax: Int) {
        decoder = HPACKDecoder(
            allocator: ByteBufferAllocator(),
            maxDynamicTableSize: HTTP2Protocol.headerTableBytes, maxHeaderListSize: listBytesMax)
    }

    mutating func read(_ block: ByteBuffer) throws(ConnectionFault) -> GRPCResponseFields {
        if let fields = find(block) { return fields }
        let changesTable = HeaderBlockScan.changesTable(block)
        if changesTable { known.removeAll(keepingCapacity: true) }
        var rest = block
        let fields: GRPCResponseFields
        do {
            fields = GRPCResponseFields(try decoder.decodeHeaders(from: &rest))
        } catch {
            throw ConnectionFault(.compressionError, "A header block cannot be decoded")
        }
        if !changesTable, block.readableBytes <= ResponseBlockReader.knownBytesMax {
            remember(Known(block: Array(block.readableBytesView), fields: fields))
        }
        return fields
    }

    private func find(_ block: ByteBuffer) -> GRPCResponseFields? {
        guard !known.isEmpty else { return nil }
        return block.withUnsafeReadableBytes { bytes in
            known.first { known in
                known.block.count == bytes.count
                    && known.block.withUnsafeBytes { $0.elementsEqual(bytes) }
            }?.fields
        }
    }

    private mutating func remember(_ one: Known) {
        if known.count < ResponseBlockReader.knownMax {
            known.append(one)
        } else {
            oldest = (oldest + 1) % ResponseBlockReader.knownMax
            known[oldest] = one
        }
    }
}

extension String {
    /// The text of a `grpc-message`; what is no percent-encoding stays as it is.
    fileprivate var removingPercentEncoding: String {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
