import NIOCore

/// How the end of an answer's content is found (RFC 9112, section 6.3).
enum HTTP1AnswerFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// It ends with the connection.
    case untilEnd
    /// The connection is no longer one of HTTP (RFC 9110, section 7.8).
    case tunnel
}

/// The head of an upstream's answer, checked and read once: servers send the same one again and
/// again.
final class HTTP1AnswerHead: HTTP1ReadableHead, Sendable {
    let bytes: [UInt8]

    let status: Int

    /// Whether the upstream means to answer another request on its connection.
    let isKeepAlive: Bool

    /// Whether content is to be passed on as it comes: nobody knows when the next of it will.
    let isStream: Bool

    /// The status line and the fields that are for the client, as bytes: those that speak of the
    /// connection and of the length are left out.
    let forwarded: [UInt8]

    /// What it says of the upstream's load, if anything; for the gateway alone.
    let loadReport: LoadReading?

    private let statusLineBytes: Int
    private let fieldsStart: Int
    private let connection: HTTP1ConnectionField
    private let contentLength: Int?
    private let isChunked: Bool

    init(_ draft: HTTP1AnswerDraft, _ bytes: UnsafeRawBufferPointer) throws(HTTP1Fault) {
        // Whoever knows HTTP/1.0 alone knows nothing of chunks (RFC 9112, section 6.1).
        guard !draft.isHTTP10 || !draft.length.hasTransfer else {
            throw .malformed("HTTP/1.0 has no Transfer-Encoding")
        }
        try draft.length.checkTransfer(of: HTTP1AnswerDraft.subject)
        status = draft.status
        isChunked = draft.length.hasTransfer
        contentLength = draft.length.contentLength
        isKeepAlive =
            !draft.persistence.closes && (!draft.isHTTP10 || draft.persistence.keepsAlive)
        isStream = draft.status == 101 || draft.isEventStream
        loadReport = draft.load.reading
        var forwarded = [UInt8]()
        forwarded.reserveCapacity(bytes.count)
        // Whatever minor version the upstream speaks, we speak ours.
        forwarded.append(contentsOf: "HTTP/1.1".utf8)
        forwarded.append(contentsOf: bytes[draft.statusLineRest])
        forwarded.append(contentsOf: [0x0D, 0x0A])
        statusLineBytes = forwarded.count
        fieldsStart = draft.fieldsStart
        connection = draft.persistence
        HTTP1Hops.copyFields(
            bytes, from: draft.fieldsStart, connection: draft.persistence,
            keepsUpgrade: draft.status == 101, to: &forwarded)
        self.forwarded = forwarded
        self.bytes = Array(bytes)
    }

    /// How the end of the content is found; an answer to HEAD has none, whatever it says.
    func framing(toHead isHead: Bool) -> HTTP1AnswerFraming {
        if status == 101 { return .tunnel }
        if isHead || status == 204 || status == 304 { return .none }
        if isChunked { return .chunked }
        guard let contentLength else { return .untilEnd }
        return contentLength == 0 ? .none : .length(contentLength)
    }

    /// ``forwarded`` with changes.
    func forwarded(changes: FieldChanges) -> [UInt8] {
        var forwarded = Array(self.forwarded.prefix(statusLineBytes))
        bytes.withUnsafeBytes { bytes in
            HTTP1Hops.copyFields(
                bytes, from: fieldsStart, connection: connection, keepsUpgrade: status == 101,
                changes: changes, to: &forwarded)
        }
        return forwarded
    }

    /// The fields that are for the client.
    var fields: [(name: String, value: String)] {
        forwarded.withUnsafeBytes { bytes in
            var fields: [(name: String, value: String)] = []
            var position = statusLineBytes
            while let field = HTTP1Head.field(bytes, at: &position) {
                fields.append((name: bytes.text(field.name), value: bytes.text(field.value)))
            }
            return fields
        }
    }

    /// What the answer says of its length, for clients: also where it has no content, but for 204,
    /// which must not say it (RFC 9110, section 8.6).
    var statedLength: Int? { status == 204 ? nil : contentLength }
}

/// What the lines of an answer's head have said so far.
struct HTTP1AnswerDraft: HTTP1ReadableDraft {
    static let subject = "answer"

    private(set) var status = 0
    private(set) var isHTTP10 = false
    /// From the blank in front of the status on.
    private(set) var statusLineRest = 0..<0
    private(set) var fieldsStart = 0
    private(set) var length = HTTP1LengthFields()
    private(set) var persistence = HTTP1ConnectionField()
    private(set) var isEventStream = false
    private(set) var load = LoadReportFields()
    private var fieldCount = 0
    private var countedBytes = 0

    var hasFirstLine: Bool { fieldsStart > 0 }

    /// Reasons may be of any language.
    static func mayBegin(with byte: UInt8) -> Bool { HTTP1Characters.isFieldContent(byte) }

    /// RFC 9112, section 4.
    mutating func takeFirstLine(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, next: Int
    ) throws(HTTP1Fault) {
        let start = line.lowerBound
        guard line.count >= 12, bytes[start..<start + 7].elementsEqual("HTTP/1.".utf8),
            HTTP1Characters.isDigit(bytes[start + 7]), bytes[start + 8] == HTTP1Characters.space,
            line.count == 12 || bytes[start + 12] == HTTP1Characters.space
        else { throw .malformed("The answer's first line is not one of HTTP/1") }
        for index in start + 9..<start + 12 {
            guard HTTP1Characters.isDigit(bytes[index]) else {
                throw .malformed("The answer's status is no number")
            }
            status = 10 * status + Int(bytes[index] - 0x30)
        }
        guard status >= 100 else { throw .malformed("The answer's status is \(status)") }
        isHTTP10 = bytes[start + 7] == UInt8(ascii: "0")
        statusLineRest = start + 8..<line.upperBound
        guard bytes.isFieldContent(statusLineRest) else {
            throw .malformed("The answer's first line has forbidden characters")
        }
        fieldsStart = next
    }

    mutating func takeField(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, limits: HTTP1Limits
    ) throws(HTTP1Fault) {
        let field = try HTTP1FieldLine(bytes, line)
        fieldCount += 1
        countedBytes += field.name.count + field.value.count
        guard fieldCount <= limits.headerFields else { throw Self.tooMany(limits) }
        guard countedBytes <= limits.headerBytes else { throw Self.tooLarge(limits) }
        switch field.name.count {
        case 10 where bytes.spells("connection", field.name):
            persistence.take(bytes, field.value)
        case 12 where bytes.spells("content-type", field.name):
            let type: StaticString = "text/event-stream"
            let end = field.value.lowerBound + type.utf8CodeUnitCount
            isEventStream =
                end <= field.value.upperBound && bytes.spells(type, field.value.lowerBound..<end)
        case 14 where bytes.spells("content-length", field.name):
            try length.takeLength(bytes, field.value)
        case 17 where bytes.spells("transfer-encoding", field.name):
            length.takeTransfer(bytes, field.value)
        case 21 where bytes.spells("endpoint-load-metrics", field.name):
            load.takePlain(bytes.text(field.value))
        case 25 where bytes.spells("endpoint-load-metrics-bin", field.name):
            load.takeBinary(bytes.text(field.value))
        default: break
        }
    }
}
