import NIOCore
import NIOHPACK

/// Decodes header blocks, and knows again those that came before.
///
/// A block that leaves the decoder's table alone means the same as long as the table stays as it
/// is: it is then decoded once.
struct HeaderBlockReader {
    private struct Known {
        let block: [UInt8]
        let head: RequestHead
    }

    private static let knownMax = 8
    private static let knownBytesMax = 1024

    private var decoder: HPACKDecoder
    private var known: [Known] = []
    private var oldest = 0

    init(listBytesMax: Int) {
        decoder = HPACKDecoder(
            allocator: ByteBufferAllocator(),
            maxDynamicTableSize: HTTP2Protocol.headerTableBytes, maxHeaderListSize: listBytesMax)
    }

    /// Reads the head of a request.
    mutating func readHead(_ block: ByteBuffer) throws(ConnectionFault) -> RequestHead {
        if let head = find(block) { return head }
        let (headers, changesTable) = try decode(block)
        let head = RequestHead(headers)
        if !changesTable, block.readableBytes <= HeaderBlockReader.knownBytesMax {
            remember(Known(block: Array(block.readableBytesView), head: head))
        }
        return head
    }

    /// Reads trailers, and says what is wrong with them.
    mutating func readTrailers(_ block: ByteBuffer) throws(ConnectionFault) -> String? {
        var check = HeaderListCheck()
        for (name, value, _) in try decode(block).headers { check.take(name, value) }
        return check.trailersFault
    }

    private mutating func decode(
        _ block: ByteBuffer
    ) throws(ConnectionFault) -> (headers: HPACKHeaders, changesTable: Bool) {
        let changesTable = HeaderBlockScan.changesTable(block)
        if changesTable { known.removeAll(keepingCapacity: true) }
        var rest = block
        do {
            return (try decoder.decodeHeaders(from: &rest), changesTable)
        } catch is NIOHPACKErrors.MaxHeaderListSizeViolation {
            throw ConnectionFault(.enhanceYourCalm, "The header list is too large")
        } catch {
            throw ConnectionFault(.compressionError, "The header block cannot be decoded")
        }
    }

    private func find(_ block: ByteBuffer) -> RequestHead? {
        guard !known.isEmpty else { return nil }
        return block.withUnsafeReadableBytes { bytes in
            known.first { known in
                known.block.count == bytes.count
                    && known.block.withUnsafeBytes { $0.elementsEqual(bytes) }
            }?.head
        }
    }

    private mutating func remember(_ one: Known) {
        if known.count < HeaderBlockReader.knownMax {
            known.append(one)
        } else {
            oldest = (oldest + 1) % HeaderBlockReader.knownMax
            known[oldest] = one
        }
    }
}

/// Looks at the instructions of a header block (RFC 7541, section 6) without decoding it.
enum HeaderBlockScan {
    /// Whether a block adds to the decoder's table or resizes it; also for what is no block.
    static func changesTable(_ block: ByteBuffer) -> Bool {
        block.withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while let first = rest.first {
                switch first {
                case 0x80...: guard skipInteger(&rest, prefix: 7) != nil else { return true }
                case 0x20..<0x80: return true
                default:
                    guard let name = skipInteger(&rest, prefix: 4),
                        name != 0 || skipText(&rest), skipText(&rest)
                    else { return true }
                }
            }
            return false
        }
    }

    private static func skipText(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        guard let length = skipInteger(&rest, prefix: 7), length <= rest.count else { return false }
        rest = rest.dropFirst(length)
        return true
    }

    private static func skipInteger(
        _ rest: inout Slice<UnsafeRawBufferPointer>, prefix: Int
    ) -> Int? {
        let mask = UInt8(truncatingIfNeeded: (1 << prefix) - 1)
        guard let first = rest.popFirst() else { return nil }
        var value = Int(first & mask)
        guard value == Int(mask) else { return value }
        // Four more bytes count further than any block is long.
        for shift in stride(from: 0, to: 28, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value += Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
