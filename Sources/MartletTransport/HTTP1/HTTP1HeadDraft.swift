/// What the lines of a request's head have said so far.
struct HTTP1HeadDraft: HTTP1ReadableDraft {
    static let subject = "request"

    private(set) var method = 0..<0
    private(set) var isHTTP10 = false
    private(set) var fieldsStart = 0
    private(set) var persistence = HTTP1ConnectionField()
    private(set) var expectsContinue = false
    private(set) var contentEncodings: [Range<Int>] = []

    /// How long its client waits.
    private(set) var timeout = RequestTimeout.none

    /// What it asks for of the server's load.
    private(set) var load = LoadReportFields()

    private var requestTarget = 0..<0
    private var fieldCount = 0
    /// The bytes that the limit counts.
    private var countedBytes = 0
    private var length = HTTP1LengthFields()
    private(set) var hasUpgrade = false
    private var hostCount = 0
    private var host = 0..<0

    var hasFirstLine: Bool { fieldsStart > 0 }

    // MARK: Lines

    static func mayBegin(with byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F }

    /// RFC 9112, section 3.
    mutating func takeFirstLine(
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
        case 7 where bytes.spells("upgrade", field.name): hasUpgrade = true
        case 10 where bytes.spells("connection", field.name):
            persistence.take(bytes, field.value)
        case 14 where bytes.spells("content-length", field.name):
            try length.takeLength(bytes, field.value)
        case 16 where bytes.spells("content-encoding", field.name):
            contentEncodings.append(field.value)
        case 17 where bytes.spells("transfer-encoding", field.name):
            length.takeTransfer(bytes, field.value)
        case 20 where bytes.spells("x-request-timeout-ms", field.name):
            timeout.take(bytes.text(field.value))
        case 28 where bytes.spells("endpoint-load-metrics-format", field.name):
            load.takeRequest(bytes.text(field.value))
        default: break
        }
    }

    private func check(_ limits: HTTP1Limits) throws(HTTP1Fault) {
        guard fieldCount <= limits.headerFields else { throw Self.tooMany(limits) }
        guard countedBytes <= limits.headerBytes else { throw Self.tooLarge(limits) }
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
        guard length.hasTransfer else {
            return length.contentLength.map { $0 == 0 ? .none : .length($0) } ?? .none
        }
        guard !isHTTP10 else { throw .malformed("HTTP/1.0 has no Transfer-Encoding") }
        try length.checkTransfer(of: Self.subject)
        return .chunked
    }

    var hasHost: Bool { hostCount > 0 }

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
