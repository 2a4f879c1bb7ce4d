import NIOCore
import NIOHPACK

/// Decodes header blocks, and knows again those that came before.
///
/// A block that leaves the decoder's table alone means the same as long as the table stays as it
/// is: it is then decoded once.
struct HeaderBlockReader {
    private static let knownBytesMax = 1024

    private var decoder: HPACKDecoder
    private var requests = KnownBlocks<RequestHead>()
    private var answers = KnownBlocks<AnswerHead>()
    private var trailers = KnownBlocks<FieldTrailers>()

    init(listBytesMax: Int) {
        decoder = HPACKDecoder(
            allocator: ByteBufferAllocator(),
            maxDynamicTableSize: HTTP2Protocol.headerTableBytes, maxHeaderListSize: listBytesMax)
    }

    /// Reads the head of a request.
    mutating func readHead(_ block: ByteBuffer) throws(ConnectionFault) -> RequestHead {
        if let head = requests.find(block) { return head }
        let (headers, isKept) = try decode(block)
        let head = RequestHead(headers)
        if isKept { requests.remember(block, head) }
        return head
    }

    /// Reads the head of an answer.
    mutating func readAnswer(_ block: ByteBuffer) throws(ConnectionFault) -> AnswerHead {
        if let head = answers.find(block) { return head }
        let (headers, isKept) = try decode(block)
        let head = AnswerHead(headers)
        if isKept { answers.remember(block, head) }
        return head
    }

    /// Reads trailers.
    mutating func readTrailers(_ block: ByteBuffer) throws(ConnectionFault) -> FieldTrailers {
        if let known = trailers.find(block) { return known }
        let (headers, isKept) = try decode(block)
        let fields = FieldTrailers(headers)
        if isKept { trailers.remember(block, fields) }
        return fields
    }

    private mutating func decode(
        _ block: ByteBuffer
    ) throws(ConnectionFault) -> (headers: HPACKHeaders, isKept: Bool) {
        let changesTable = HeaderBlockScan.changesTable(block)
        if changesTable { forget() }
        let isKept = !changesTable && block.readableBytes <= HeaderBlockReader.knownBytesMax
        var rest = block
        do {
            return (try decoder.decodeHeaders(from: &rest), isKept)
        } catch is NIOHPACKErrors.MaxHeaderListSizeViolation {
            throw ConnectionFault(.headerBlocks, "The header list is too large")
        } catch {
            throw ConnectionFault(.compressionError, "The header block cannot be decoded")
        }
    }

    private mutating func forget() {
        requests.forget()
        answers.forget()
        trailers.forget()
    }
}

/// What the last few header blocks of a kind have meant.
private struct KnownBlocks<Meaning> {
    private static var capacity: Int { 8 }

    private var entries: [(block: [UInt8], meaning: Meaning)] = []
    private var oldest = 0

    func find(_ block: ByteBuffer) -> Meaning? {
        guard !entries.isEmpty else { return nil }
        return block.withUnsafeReadableBytes { bytes in
            entries.first { entry in
                entry.block.count == bytes.count
                    && entry.block.withUnsafeBytes { $0.elementsEqual(bytes) }
            }?.meaning
        }
    }

    mutating func remember(_ block: ByteBuffer, _ meaning: Meaning) {
        let entry = (block: Array(block.readableBytesView), meaning: meaning)
        if entries.count < KnownBlocks.capacity {
            entries.append(entry)
        } else {
            oldest = (oldest + 1) % KnownBlocks.capacity
            entries[oldest] = entry
        }
    }

    mutating func forget() { entries.removeAll(keepingCapacity: true) }
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
