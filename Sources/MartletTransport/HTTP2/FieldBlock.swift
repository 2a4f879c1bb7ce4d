import MartletCore
import NIOHPACK

/// A header block that needs no table at the client: names of the static table, and literals that
/// nobody keeps (RFC 7541, section 6.2.2).
///
/// So a block is made once and means the same on every connection.
struct FieldBlock: Sendable {
    private(set) var bytes: [UInt8] = []

    /// The head of every answer to a gRPC call with messages.
    static let grpcHead = FieldBlock([
        (":status", "200"), ("content-type", GRPCFields.contentType),
    ])

    /// The end of every gRPC call that went well.
    static let grpcSuccess = FieldBlock([("grpc-status", "0")])

    /// The whole answer to a gRPC call that has no messages.
    static func grpcFailure(_ error: ServingError, fields: HeaderFields = [:]) -> FieldBlock {
        var block = grpcHead
        block.addFailure(error)
        for field in fields.fields { block.add(field.name, field.value) }
        return block
    }

    /// The end of a gRPC call that failed behind its first message.
    static func grpcEnd(_ error: ServingError) -> FieldBlock {
        var block = FieldBlock()
        block.addFailure(error)
        return block
    }

    private mutating func addFailure(_ error: ServingError) {
        add("grpc-status", String(error.code.rawValue))
        add("grpc-message", GRPCFields.encodeMessage(error.message))
    }

    /// Tells the client's decoder that its table stays empty.
    static let tableSizeZero: UInt8 = 0x20

    init(_ fields: [(String, String)] = []) {
        for (name, value) in fields { add(name, value) }
    }

    /// Creates the block that says what a decoded one has said, but for load reports.
    init(_ headers: HPACKHeaders) {
        for (name, value, indexing) in headers where !LoadReportFields.contain(name) {
            add(name, value, isSensitive: indexing == .neverIndexed)
        }
    }

    /// Adds fields, with changes.
    ///
    /// - Parameters:
    ///   - fields: names and values.
    ///   - sensitive: places of those that nobody may keep in a table.
    ///   - changes: what is left out, and what comes behind them.
    mutating func add(
        _ fields: HeaderFields, sensitive: Set<Int> = [], changedBy changes: FieldChanges
    ) {
        for (place, field) in fields.fields.enumerated()
        where changes.removed.isEmpty || !changes.removed.contains(field.name) {
            add(field.name, field.value, isSensitive: sensitive.contains(place))
        }
        for field in changes.added { add(field.name, field.value) }
    }

    /// Adds a field; one that is sensitive goes into no table on its further way either.
    mutating func add(_ name: String, _ value: String, isSensitive: Bool = false) {
        if let index = FieldBlock.index(of: name, value) {
            bytes.append(0x80 | index)
            return
        }
        if let index = FieldBlock.index(of: name) {
            appendInteger(index, prefix: 4, pattern: isSensitive ? FieldBlock.neverIndexed : 0)
        } else {
            bytes.append(isSensitive ? FieldBlock.neverIndexed : 0)
            appendText(name, lowercases: true)
        }
        appendText(value)
    }

    /// A literal that is never indexed (RFC 7541, section 6.2.3).
    private static let neverIndexed: UInt8 = 0x10

    private mutating func appendInteger(_ value: Int, prefix: Int, pattern: UInt8 = 0) {
        let mask = (1 << prefix) - 1
        guard value >= mask else {
            bytes.append(pattern | UInt8(truncatingIfNeeded: value))
            return
        }
        bytes.append(pattern | UInt8(truncatingIfNeeded: mask))
        var rest = value - mask
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func appendText(_ text: String, lowercases: Bool = false) {
        appendInteger(text.utf8.count, prefix: 7)
        if lowercases {
            bytes.append(
                contentsOf: text.utf8.lazy.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
        } else {
            // What would end a field in HTTP/1 has no place in one.
            bytes.append(
                contentsOf: text.utf8.lazy.map { $0 == 0 || $0 == 10 || $0 == 13 ? 0x20 : $0 })
        }
    }

    /// Complete fields of the static table.
    private static func index(of name: String, _ value: String) -> UInt8? {
        switch (name, value) {
        case (":status", "200"): 8
        case (":status", "204"): 9
        case (":status", "206"): 10
        case (":status", "304"): 11
        case (":status", "400"): 12
        case (":status", "404"): 13
        case (":status", "500"): 14
        case (":method", "GET"): 2
        case (":method", "POST"): 3
        case (":scheme", "http"): 6
        case (":scheme", "https"): 7
        default: nil
        }
    }

    /// Names of the static table (RFC 7541, appendix A), as far as we send them.
    private static func index(of name: String) -> Int? {
        switch name {
        case ":authority": 1
        case ":method": 2
        case ":path": 4
        case ":scheme": 6
        case ":status": 8
        case "accept-encoding": 16
        case "access-control-allow-origin": 20
        case "allow": 22
        case "authorization": 23
        case "cache-control": 24
        case "content-encoding": 26
        case "content-length": 28
        case "content-type": 31
        case "date": 33
        case "location": 46
        case "retry-after": 53
        case "server": 54
        case "user-agent": 58
        case "vary": 59
        case "www-authenticate": 61
        default: nil
        }
    }
}
