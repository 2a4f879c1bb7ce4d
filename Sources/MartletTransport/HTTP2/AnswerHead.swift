import MartletCore
import NIOHPACK

/// An answer's header list, checked and read once: servers send the same one again and again.
final class AnswerHead: Sendable {
    /// The status; 0 where it is missing.
    let status: Int

    /// The fields that are for the client, without `:status`.
    let fields: HeaderFields

    let contentLength: Int?

    /// What the protocol forbids in it, if anything.
    let malformation: String?

    /// What it says of the server's load, if anything; for the gateway alone.
    let loadReport: LoadReading?

    /// The whole list, as it is passed on.
    let block: FieldBlock

    /// Whether the content is an event stream, each event of which is awaited.
    let isStream: Bool

    /// The status of a gRPC call that was answered without a message.
    let grpcStatus: StatusCode?

    init(_ headers: HPACKHeaders) {
        var check = HeaderListCheck(isAnswer: true)
        var list: [(name: String, value: String)] = []
        list.reserveCapacity(headers.count)
        var load = LoadReportFields()
        for (name, value, _) in headers {
            check.take(name, value)
            if name.isPseudoField || load.take(name, value) { continue }
            list.append((name: name, value: value))
        }
        loadReport = load.reading
        status = check.status ?? 0
        contentLength = check.contentLength
        malformation = check.answerFault
        fields = HeaderFields(list)
        block = FieldBlock(headers)
        isStream = fields.first("content-type")?.hasPrefix("text/event-stream") ?? false
        grpcStatus = fields.first("grpc-status").flatMap(GRPCFields.status)
    }

    /// Whether the answer proper is still to come.
    var isInterim: Bool { status < 200 }

    /// Whether nothing may stand behind it (RFC 9110, section 6.4.1).
    var hasNoContent: Bool { status == 204 || status == 304 }

    /// The block with changes.
    func block(changedBy changes: FieldChanges) -> FieldBlock {
        var block = FieldBlock([(":status", String(status))])
        block.add(fields, changedBy: changes)
        return block
    }
}

/// The fields behind a message, checked and read once.
final class FieldTrailers: Sendable {
    /// What the protocol forbids in them, if anything.
    let malformation: String?

    /// What they say of the server's load, if anything; for the gateway alone.
    let loadReport: LoadReading?

    /// The others, as they are passed on.
    let block: FieldBlock

    /// The status of a gRPC call.
    let grpcStatus: StatusCode?

    private let headers: HPACKHeaders

    /// The names and values of those that are passed on; made when they are asked for, as hardly
    /// anybody does.
    var fields: HeaderFields {
        HeaderFields(
            headers.filter { !LoadReportFields.contain($0.name) }
                .map { (name: $0.name, value: $0.value) })
    }

    init(_ headers: HPACKHeaders) {
        self.headers = headers
        var check = HeaderListCheck()
        var load = LoadReportFields()
        for (name, value, _) in headers {
            check.take(name, value)
            _ = load.take(name, value)
        }
        loadReport = load.reading
        malformation = check.trailersFault
        block = FieldBlock(headers)
        grpcStatus = headers.first(name: "grpc-status").flatMap(GRPCFields.status)
    }
}

extension String {
    /// Whether it names a field of HTTP/2 itself.
    var isPseudoField: Bool { utf8.first == UInt8(ascii: ":") }
}
