import MartletCore
import MartletTelemetry
import NIOHPACK

/// A request's header list, checked and read once: clients send the same one again and again.
final class RequestHead: Sendable {
    let method: String
    let path: String
    let query: String

    /// Whether the target has a `?`, if only an empty query behind it.
    let hasQuery: Bool
    let scheme: String
    let authority: String?

    /// The fields without those of HTTP/2 itself, and without what they ask of the server's load.
    let fields: HeaderFields

    /// All fields, and their bytes as the protocol counts them.
    let fieldCount: Int
    let listBytes: Int

    let isGRPC: Bool
    let contentLength: Int?

    /// How long the client waits, as a gRPC call says by `grpc-timeout` and others by a field of
    /// ours.
    let timeout: Duration?

    /// What the protocol forbids in it, if anything.
    let malformation: String?

    /// The values of `content-encoding`.
    let contentEncodings: [String]

    /// Whether a `host` field says something else than `:authority`.
    let namesAnotherHost: Bool

    /// In which form it asks for the server's load along with the answer; `nil` for not at all.
    let loadForm: LoadReport.Form?

    /// Which of ``fields`` nobody may keep in a table (RFC 7541, section 7.1.3).
    let sensitiveFields: Set<Int>

    private let timeoutFault: ServingError?
    private let coding: ContentCoding?

    init(_ headers: HPACKHeaders) {
        var check = HeaderListCheck()
        var fields: [(name: String, value: String)] = []
        fields.reserveCapacity(headers.count)
        var sensitiveFields: Set<Int> = []
        var load = LoadReportFields()
        var restTimeout = RequestTimeout.none
        for (name, value, indexing) in headers {
            check.take(name, value)
            if name == RequestTimeout.name { restTimeout.take(value) }
            if name.isPseudoField || load.take(name, value) { continue }
            if indexing == .neverIndexed { sensitiveFields.insert(fields.count) }
            fields.append((name: name, value: value))
        }
        let target = RequestTarget(check.path ?? "")
        method = check.method ?? ""
        path = target.path
        query = target.query
        scheme = check.scheme ?? ""
        authority = check.authority
        hasQuery = check.path.map { $0.utf8.contains(UInt8(ascii: "?")) } ?? false
        self.sensitiveFields = sensitiveFields
        loadForm = load.askedForm
        fieldCount = headers.count
        listBytes = check.listBytes
        contentLength = check.contentLength
        malformation = check.requestFault
        let list = HeaderFields(fields)
        self.fields = list
        contentEncodings = fields.filter { $0.name == "content-encoding" }.map(\.value)
        let isGRPC = list.first("content-type").map(GRPCFields.isGRPC) ?? false
        self.isGRPC = isGRPC
        timeout =
            isGRPC
            ? list.first("grpc-timeout").flatMap(GRPCFields.timeout) : restTimeout.duration
        timeoutFault = isGRPC ? nil : restTimeout.fault
        let host = list.first("host")
        namesAnotherHost =
            if let host, let authority { !host.equalsIgnoringASCIICase(authority) } else { false }
        coding = ContentCoding(field: list.first("grpc-encoding"))
    }

    /// What is wrong with the request, if anything.
    func fault(limits: Limits) -> ServingError? {
        guard fieldCount <= limits.headerFields else {
            return .invalidArgument(
                "The request has more than \(limits.headerFields) header fields "
                    + "(--max-header-fields)")
        }
        guard listBytes <= limits.headerBytes else {
            return .invalidArgument(
                "The request's header fields exceed \(limits.headerBytes) bytes "
                    + "(--max-header-bytes)")
        }
        if let timeoutFault { return timeoutFault }
        if isGRPC, method != "POST" {
            return ServingError(.unimplemented, "gRPC calls use the method POST")
        }
        guard isGRPC || contentLength ?? 0 <= limits.messageBytes else {
            return RequestValidation(limits: limits).bodyTooLarge
        }
        return nil
    }

    /// How the messages of a gRPC call are compressed.
    func messageCoding() throws(RequestFault) -> ContentCoding {
        guard let coding else {
            throw RequestFault(
                ServingError(
                    .unimplemented,
                    "The grpc-encoding '\(fields.first("grpc-encoding") ?? "")' is not supported; "
                        + "use one of \(ContentCoding.listed)"),
                fields: ["grpc-accept-encoding": ContentCoding.listed])
        }
        return coding
    }
}

/// The rules of HTTP/2 for header lists (RFC 9113, sections 8.2 and 8.3).
struct HeaderListCheck {
    private(set) var method: String?
    private(set) var path: String?
    private(set) var contentLength: Int?
    private(set) var listBytes = 0
    private(set) var scheme: String?
    private(set) var authority: String?
    private(set) var status: Int?
    private let isAnswer: Bool
    private var hasFields = false
    private var hasPseudoFields = false
    private var fault: String?

    /// Begins a list; that of an answer has a field of its own.
    init(isAnswer: Bool = false) {
        self.isAnswer = isAnswer
    }

    /// Takes the next field.
    mutating func take(_ name: String, _ value: String) {
        // Every field counts for 32 bytes more than it has.
        listBytes += name.utf8.count + value.utf8.count + 32
        guard fault == nil else { return }
        fault =
            if name.utf8.first == UInt8(ascii: ":") {
                takePseudo(name, value)
            } else {
                takeField(name, value)
            }
        if fault == nil, !HeaderListCheck.isFieldValue(value) {
            fault = "The value of \(name) has forbidden characters"
        }
    }

    /// What is wrong with the fields as the head of a request.
    var requestFault: String? {
        if let fault { return fault }
        guard let method else { return "The request has no :method" }
        if method == "CONNECT" {
            guard scheme == nil, path == nil, authority != nil else {
                return "CONNECT has an :authority, but no :scheme and no :path"
            }
            return nil
        }
        guard scheme != nil else { return "The request has no :scheme" }
        guard let path, !path.isEmpty else { return "The request has no :path" }
        return nil
    }

    /// What is wrong with the fields as the head of an answer.
    var answerFault: String? {
        fault ?? (status == nil ? "The answer has no :status" : nil)
    }

    /// What is wrong with the fields as trailers.
    var trailersFault: String? {
        fault ?? (hasPseudoFields ? "Trailers have no fields that begin with a colon" : nil)
    }

    private mutating func takePseudo(_ name: String, _ value: String) -> String? {
        hasPseudoFields = true
        let isRepeated: Bool
        switch name {
        case ":status" where isAnswer:
            guard value.utf8.count == 3, let number = Int(value), number >= 100 else {
                return ":status is not one"
            }
            (isRepeated, status) = (status != nil, number)
        case _ where isAnswer: return "\(name) is not a field of answers"
        case ":method": (isRepeated, method) = (method != nil, value)
        case ":path": (isRepeated, path) = (path != nil, value)
        case ":scheme": (isRepeated, scheme) = (scheme != nil, value)
        case ":authority": (isRepeated, authority) = (authority != nil, value)
        default: return "\(name) is not a field of requests"
        }
        guard !hasFields else { return "\(name) comes behind other fields" }
        return isRepeated ? "\(name) comes twice" : nil
    }

    private mutating func takeField(_ name: String, _ value: String) -> String? {
        hasFields = true
        guard HeaderListCheck.isFieldName(name) else {
            return "A field's name has forbidden characters"
        }
        switch name {
        case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
            return "\(name) is not a field of HTTP/2"
        case "te": return value == "trailers" ? nil : "te has a value other than trailers"
        case "content-length":
            let digits = value.utf8.allSatisfy { (0x30...0x39).contains($0) }
            guard digits, let length = Int(value), contentLength ?? length == length else {
                return "content-length is not one number"
            }
            contentLength = length
            return nil
        default: return nil
        }
    }

    /// A token of lower-case characters.
    private static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x5E...0x7A, 0x7C,
                    0x7E:
                    true
                default: false
                }
            }
    }

    private static func isFieldValue(_ value: String) -> Bool {
        guard let first = value.utf8.first, let last = value.utf8.last else { return true }
        let isTrimmed = ![first, last].contains { $0 == 0x20 || $0 == 0x09 }
        return isTrimmed && value.utf8.allSatisfy { $0 != 0 && $0 != 0x0A && $0 != 0x0D }
    }
}
