/// What the lines of a request's head have said so far; places count from the head's first byte.
struct HTTP1HeadDraft {
    private(set) var method = 0..<0
    private(set) var isHTTP10 = false
    private(set) var fieldsStart = 0
    private(set) var closes = false
    private(set) var keepsAlive = false
    private(set) var expectsContinue = false
    private(set) var contentEncodings: [Range<Int>] = []

    private var requestTarget = 0..<0
    private var fieldCount = 0
    /// The bytes that the limit counts.
    private var countedBytes = 0
    private var contentLength: Int?
    private var transfer: Transfer?
    private var hostCount = 0
    private var host = 0..<0

    /// What the transfer codings are.
    private enum Transfer {
        case chunked
        /// There are codings that we do not have.
        case unknown
        /// The body's end could not be found.
        case misplaced
    }

    /// Whether the first line has come.
    var hasRequestLine: Bool { fieldsStart > 0 }

    // MARK: Lines

    /// Takes the first line (RFC 9112, section 3); `next` is the place of the one behind it.
    mutating func takeRequestLine(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, next: Int
    ) throws(HTTP1Fault) {
        var index = line.lowerBound
        while index < line.upperBound, HTTP1Characters.isToken(bytes[index]) { index += 1 }
        guard index > line.lowerBound, index < line.upperBound,
            bytes[index] == HTTP1Characters.space
        else { throw .malformed("The request begins with no method") }
        method = line.lowerBound..<index
        guard let space = bytes.firstIndex(of: HTTP1Characters.space, from: index + 1),
            space < line.upperBound
        else { throw .malformed("The request's first line has no version") }
        requestTarget = index + 1..<space
        guard !requestTarget.isEmpty,
            requestTarget.allSatisfy({ HTTP1Characters.isTarget(bytes[$0]) })
        else { throw .malformed("The request's target is empty or has forbidden characters") }
        countedBytes = requestTarget.count
        try takeVersion(bytes, space + 1..<line.upperBound)
        fieldsStart = next
    }

    private mutating func takeVersion(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(HTTP1Fault) {
        let start = range.lowerBound
        guard range.count == 8, bytes[start..<start + 5].elementsEqual("HTTP/".utf8),
            HTTP1Characters.isDigit(bytes[start + 5]), bytes[start + 6] == UInt8(ascii: "."),
            HTTP1Characters.isDigit(bytes[start + 7])
        else { throw .malformed("The request's first line ends with no version of HTTP") }
        guard bytes[start + 5] == UInt8(ascii: "1") else {
            throw HTTP1Fault(status: 505, text: "This connection speaks HTTP/1.1")
        }
        // Versions to come are read as the one that we know (RFC 9110, section 2.5).
        isHTTP10 = bytes[start + 7] == UInt8(ascii: "0")
    }

    /// Takes the line of a field.
    mutating func takeField(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, limits: HTTP1Limits
    ) throws(HTTP1Fault) {
        let field = try HTTP1FieldLine(bytes, line)
        fieldCount += 1
        countedBytes += field.name.count + field.value.count
        try check(limits)
        switch field.name.count {
        case 4 where bytes.spells("host", field.name):
            hostCount += 1
            host = field.value
        case 6 where bytes.spells("expect", field.name):
            expectsContinue = bytes.spells("100-continue", field.value)
        case 10 where bytes.spells("connection", field.name): takeConnection(bytes, field.value)
        case 14 where bytes.spells("content-length", field.name):
            try takeLength(bytes, field.value)
        case 16 where bytes.spells("content-encoding", field.name):
            contentEncodings.append(field.value)
        case 17 where bytes.spells("transfer-encoding", field.name):
            takeTransfer(bytes, field.value)
        default: break
        }
    }

    private func check(_ limits: HTTP1Limits) throws(HTTP1Fault) {
        guard fieldCount <= limits.headerFields else {
            throw .malformed(
                "The request has more than \(limits.headerFields) header fields "
                    + "(--max-header-fields)")
        }
        guard countedBytes <= limits.headerBytes else { throw HTTP1HeadDraft.tooLarge(limits) }
    }

    static func tooLarge(_ limits: HTTP1Limits) -> HTTP1Fault {
        .malformed(
            "The request's header fields exceed \(limits.headerBytes) bytes (--max-header-bytes)")
    }

    // MARK: Fields

    private mutating func takeConnection(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) {
        bytes.forEachMember(value) { member in
            if bytes.spells("close", member) { closes = true }
            if bytes.spells("keep-alive", member) { keepsAlive = true }
        }
    }

    /// A number, once: what a list of equal ones means is read in two ways (RFC 9110, section 8.6).
    private mutating func takeLength(
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

    private mutating func takeTransfer(_ bytes: UnsafeRawBufferPointer, _ value: Range<Int>) {
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

    // MARK: The whole

    /// The target (RFC 9112, section 3.2).
    func target(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Fault) -> HTTP1Target {
        guard !bytes[method].elementsEqual("CONNECT".utf8) else {
            throw HTTP1Fault(status: 501, text: "This server makes no tunnels")
        }
        let isOptions = bytes[method].elementsEqual("OPTIONS".utf8)
        return try HTTP1Target(bytes, requestTarget, isOptions: isOptions)
    }

    /// How the body's end is found (RFC 9112, sections 6.1 to 6.3).
    func framing() throws(HTTP1Fault) -> HTTP1Framing {
        guard let transfer else {
            return contentLength.map { $0 == 0 ? .none : .length($0) } ?? .none
        }
        guard !isHTTP10 else { throw .malformed("HTTP/1.0 has no Transfer-Encoding") }
        guard contentLength == nil else {
            throw .malformed("The request has both Content-Length and Transfer-Encoding")
        }
        switch transfer {
        case .chunked: return .chunked
        case .misplaced:
            throw .malformed("The last Transfer-Encoding is not chunked, or chunked is there twice")
        case .unknown:
            throw HTTP1Fault(
                status: 501, text: "The only Transfer-Encoding that is supported is chunked")
        }
    }

    /// The host has to be there once (RFC 9112, section 3.2), and where the target names one, too,
    /// it has to be the same.
    func checkHost(
        _ bytes: UnsafeRawBufferPointer, authority: Range<Int>?
    ) throws(HTTP1Fault) {
        guard hostCount == 1 || hostCount == 0 && isHTTP10 else {
            throw .malformed("The request needs exactly one Host header")
        }
        guard HTTP1Authority.isValid(bytes, host) else {
            throw .malformed("The Host header names no host")
        }
        guard let authority, hostCount == 1 else { return }
        guard bytes.isSame(authority, host) else {
            throw .malformed("The Host header is not that of the request's target")
        }
    }
}
