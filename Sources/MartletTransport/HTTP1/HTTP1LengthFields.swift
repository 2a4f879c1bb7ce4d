/// What the fields of a head say of the length of its content (RFC 9112, section 6).
struct HTTP1LengthFields {
    private(set) var contentLength: Int?
    private var transfer: Transfer?

    /// What the transfer codings are.
    private enum Transfer {
        case chunked
        /// There are codings that we do not have.
        case unknown
        /// The body's end could not be found.
        case misplaced
    }

    /// Whether there are transfer codings.
    var hasTransfer: Bool { transfer != nil }

    /// A number, once: what a list of equal ones means is read in two ways (RFC 9110, section 8.6).
    mutating func takeLength(
        _ bytes: UnsafeRawBufferPointer, _ value: Range<Int>
    ) throws(HTTP1Fault) {
        guard contentLength == nil else { throw .malformed("Content-Length is there twice") }
        var length = 0
        for index in value {
            let digit = bytes[index] &- 0x30
            let (shifted, isTooLong) = length.multipliedReportingOverflow(by: 10)
            let (sum, isTooLarge) = shifted.addingReportingOverflow(Int(digit))
            guard digit < 10, !isTooLong, !isTooLarge else {
                throw .malformed("Content-Length is no number of bytes")
            }
            length = sum
        }
        guard !value.isEmpty else { throw .malformed("Content-Length is empty") }
        contentLength = length
    }

    mutating func takeTransfer(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) {
        bytes.forEachMember(value) { member in
            switch transfer {
            // Whatever is applied behind the chunks hides where they end.
            case .chunked, .misplaced: transfer = .misplaced
            case nil, .unknown:
                let isChunked = transfer == nil && bytes.spells("chunked", member)
                transfer = member.isEmpty ? .misplaced : isChunked ? .chunked : .unknown
            }
        }
    }

    /// Sees to it that content with transfer codings is plainly in chunks.
    func checkTransfer(of subject: String) throws(HTTP1Fault) {
        guard let transfer else { return }
        guard contentLength == nil else {
            throw .malformed("The \(subject) has both Content-Length and Transfer-Encoding")
        }
        switch transfer {
        case .chunked: break
        case .misplaced:
            throw .malformed("The last Transfer-Encoding is not chunked, or chunked is there twice")
        case .unknown:
            throw HTTP1Fault(
                status: 501, text: "The only Transfer-Encoding that is supported is chunked")
        }
    }
}

/// What `Connection` says (RFC 9110, section 7.6.1).
struct HTTP1ConnectionField {
    private(set) var closes = false
    private(set) var keepsAlive = false
    private(set) var upgrades = false
    /// Whether it names fields that are for this connection alone, too.
    private(set) var namesFields = false

    mutating func take(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) {
        bytes.forEachMember(value) { member in
            if bytes.spells("close", member) {
                closes = true
            } else if bytes.spells("keep-alive", member) {
                keepsAlive = true
            } else if bytes.spells("upgrade", member) {
                upgrades = true
            } else if !member.isEmpty {
                namesFields = true
            }
        }
    }
}
