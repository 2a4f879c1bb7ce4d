import MartletCore

/// Load reports as the protobuf message `xds.data.orca.v3.OrcaLoadReport`.
///
/// Source: github.com/cncf/xds, `xds/data/orca/v3/orca_load_report.proto`. Fields that are unknown
/// are passed over, as protobuf has it.
extension LoadReport {
    init(message: [UInt8]) throws(LoadReportError) {
        var reader = LoadReportReader()
        var message = LoadReportWire(message[...])
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (3, .varint(let count)): try reader.take("rps", Double(count))
            case (let field, .double(let value)):
                if let name = Self.fields[field] { try reader.take(name, value) }
            case (let field, .bytes(let entry)):
                guard let group = Self.groups[field] else { continue }
                let (key, value) = try Self.entry(entry)
                try reader.take("\(group).\(key)", value)
            default: break
            }
        }
        self = reader.report
    }

    static func message(_ metrics: [(name: String, value: Double)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in metrics {
            if name.hasPrefix(namedPrefix) {
                let key = Array(name.utf8.dropFirst(namedPrefix.utf8.count))
                var entry = LoadReportWire.key(1, 2) + [UInt8(truncatingIfNeeded: key.count)] + key
                entry += LoadReportWire.key(2, 1) + LoadReportWire.bytes(of: value)
                // Of at most two digits: the limits allow no longer name.
                bytes += LoadReportWire.key(8, 2) + [UInt8](varint: UInt64(entry.count)) + entry
            } else if let field = fields.first(where: { $0.value == name })?.key, value != 0 {
                bytes += LoadReportWire.key(field, 1) + LoadReportWire.bytes(of: value)
            }
        }
        return bytes
    }

    private static let fields = [
        1: "cpu_utilization", 2: "mem_utilization", 6: "rps_fractional", 7: "eps",
        9: "application_utilization",
    ]

    /// Fields that are maps from a text to a number.
    private static let groups = [4: "request_cost", 5: "utilization", 8: "named_metrics"]

    private static func entry(
        _ bytes: ArraySlice<UInt8>
    ) throws(LoadReportError) -> (key: String, value: Double) {
        var key = ""
        var value = 0.0
        var entry = LoadReportWire(bytes)
        while let (field, found) = try entry.next() {
            switch (field, found) {
            case (1, .bytes(let text)):
                guard text.count <= LoadReportLimits.nameBytes else {
                    throw LoadReportError(.malformedMetric, "a named metric has no usable name")
                }
                key = String(decoding: text, as: UTF8.self)
            case (2, .double(let number)): value = number
            default: break
            }
        }
        return (key, value)
    }
}

/// The fields of a protobuf message, one after the other.
private struct LoadReportWire {
    enum Value {
        case varint(UInt64)
        case double(Double)
        case bytes(ArraySlice<UInt8>)
        /// Four bytes of something that reports do not have.
        case other
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next field; `nil` at the end.
    mutating func next() throws(LoadReportError) -> (field: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let key = try readVarint()
        guard let field = Int(exactly: key >> 3), field > 0 else { throw Self.malformed }
        switch key & 7 {
        case 0: return (field, .varint(try readVarint()))
        case 1:
            let bits = try read(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return (field, .double(Double(bitPattern: bits)))
        case 2:
            guard let count = Int(exactly: try readVarint()) else { throw Self.malformed }
            return (field, .bytes(try read(count)))
        case 5:
            _ = try read(4)
            return (field, .other)
        default: throw Self.malformed
        }
    }

    private mutating func read(_ count: Int) throws(LoadReportError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.malformed }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func readVarint() throws(LoadReportError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst(), shift < 63 || byte <= 1 else { throw Self.malformed }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw Self.malformed
    }

    private static let malformed = LoadReportError(
        .malformedContent, "the load report is no message of ORCA")

    // MARK: Writing

    static func key(_ field: Int, _ kind: Int) -> [UInt8] {
        [UInt8](varint: UInt64(field << 3 | kind))
    }

    static func bytes(of value: Double) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(8 * $0)) }
    }
}
