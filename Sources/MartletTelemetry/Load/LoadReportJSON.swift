/// Load reports in ORCA's `JSON` form: the message as protobuf writes it in JSON.
extension LoadReport {
    /// Reads a report in JSON; names may be those of the message's fields, or as protobuf writes
    /// them (`cpuUtilization`).
    init(json: Substring.UTF8View) throws(LoadReportError) {
        var parser = LoadReportJSONParser(json)
        self = try parser.report()
    }

    static func json(_ metrics: [(name: String, value: Double)]) -> String {
        let named = metrics.filter { $0.name.hasPrefix(namedPrefix) }
        var bytes = Array("{".utf8)
        func append(_ members: [(name: String, value: Double)], cutting prefix: Int) {
            for (index, member) in members.enumerated() {
                bytes.append(text: "\(index > 0 ? "," : "")\"\(member.name.dropFirst(prefix))\":")
                bytes.append(number: member.value)
            }
        }
        let known = metrics.filter { !$0.name.hasPrefix(namedPrefix) }
        append(known, cutting: 0)
        if !named.isEmpty {
            bytes.append(text: "\(known.isEmpty ? "" : ",")\"named_metrics\":{")
            append(named, cutting: namedPrefix.count)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Reads the little of JSON (RFC 8259) that reports are made of.
///
/// That is an object of numbers, and of objects of numbers. All else is refused, escaped characters
/// too, as no name needs them.
private struct LoadReportJSONParser {
    private var rest: Substring.UTF8View
    private var reader = LoadReportReader()

    init(_ text: Substring.UTF8View) {
        rest = text
    }

    mutating func report() throws(LoadReportError) -> LoadReport {
        try readObject(named: nil)
        skipBlanks()
        guard rest.isEmpty else { throw Self.malformed }
        return reader.report
    }

    /// Reads the object as a whole, or that of the metrics under `group`.
    private mutating func readObject(named group: String?) throws(LoadReportError) {
        guard skip("{") else { throw Self.malformed }
        if skip("}") { return }
        repeat {
            let name = try readText()
            guard skip(":") else { throw Self.malformed }
            if group == nil, peek() == UInt8(ascii: "{") {
                try readObject(named: Self.fieldName(name))
            } else {
                let value = try readNumber()
                try reader.take(group.map { "\($0).\(name)" } ?? Self.fieldName(name), value)
            }
        } while skip(",")
        guard skip("}") else { throw Self.malformed }
    }

    private mutating func readText() throws(LoadReportError) -> String {
        guard skip("\"") else { throw Self.malformed }
        let text = rest.prefix { $0 != UInt8(ascii: "\"") }
        guard text.count <= LoadReportLimits.nameBytes,
            text.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\\") })
        else { throw LoadReportError(.malformedMetric, "a metric has no usable name") }
        rest = rest.dropFirst(text.count)
        guard skip("\"") else { throw Self.malformed }
        return String(Substring(text))
    }

    /// Reads a number; protobuf writes long ones as texts.
    private mutating func readNumber() throws(LoadReportError) -> Double {
        let isQuoted = skip("\"")
        let text = rest.prefix { byte in
            ![",", "}", "\"", " ", "\t", "\r", "\n"].contains(Unicode.Scalar(byte))
        }
        rest = rest.dropFirst(text.count)
        guard !isQuoted || skip("\"") else { throw Self.malformed }
        return try LoadReportReader.number(text)
    }

    private mutating func peek() -> UInt8? {
        skipBlanks()
        return rest.first
    }

    private mutating func skip(_ sign: Unicode.Scalar) -> Bool {
        guard let next = peek(), Unicode.Scalar(next) == sign else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func skipBlanks() {
        rest = rest.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }

    private static let malformed = LoadReportError(
        .malformedContent, "the load report is not an object of numbers in JSON")

    /// The name of the message's field that protobuf writes so in JSON.
    private static func fieldName(_ name: String) -> String {
        switch name {
        case "applicationUtilization": "application_utilization"
        case "cpuUtilization": "cpu_utilization"
        case "memUtilization": "mem_utilization"
        case "rpsFractional": "rps_fractional"
        case "requestCost": "request_cost"
        case "namedMetrics": "named_metrics"
        default: name
        }
    }
}
