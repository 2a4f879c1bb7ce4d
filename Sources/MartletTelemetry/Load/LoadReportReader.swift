/// Collects the metrics of a report that another process wrote, in whichever form, by one set of
/// rules.
struct LoadReportReader {
    private(set) var report = LoadReport()
    private var seen: Set<String> = []

    /// Takes a metric by its name in ORCA's `TEXT` form.
    mutating func take(_ name: String, _ value: Double) throws(LoadReportError) {
        guard seen.count < LoadReportLimits.fields else {
            throw LoadReportError(.tooLarge, "the load report has too many metrics")
        }
        guard LoadReportLimits.isValue(value, of: name) else {
            throw LoadReportError(.invalidValue, "a value is outside its range")
        }
        guard seen.insert(name).inserted else {
            throw LoadReportError(.duplicateMetric, "a metric occurs twice")
        }
        try set(name, to: value)
    }

    private mutating func set(_ name: String, to value: Double) throws(LoadReportError) {
        switch name {
        case "application_utilization": report.applicationUtilization = value
        case "cpu_utilization": report.cpuUtilization = value
        case "mem_utilization": report.memoryUtilization = value
        case "rps_fractional": report.requestsPerSecond = value
        case "eps": report.errorsPerSecond = value
        case "rps": break
        default:
            guard let dot = name.firstIndex(of: ".") else {
                throw LoadReportError(.malformedMetric, "a metric is unknown")
            }
            let key = String(name[name.index(after: dot)...])
            guard LoadReportLimits.isMetricName(key.utf8) else {
                throw LoadReportError(.malformedMetric, "a named metric has no usable name")
            }
            switch name[..<dot] {
            case "named_metrics": report.namedMetrics[key] = value
            case "request_cost", "utilization": break
            default: throw LoadReportError(.malformedMetric, "a metric is unknown")
            }
        }
    }

    /// A decimal number: `digits[.digits][e[+-]digits]`, no sign, no `inf`, no hexadecimal.
    static func number(_ text: Substring.UTF8View) throws(LoadReportError) -> Double {
        let isDecimal = text.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isDecimal, text.count <= LoadReportLimits.valueBytes,
            let first = text.first, isDigit(first), let last = text.last, isDigit(last),
            let value = Double(Substring(text))
        else { throw LoadReportError(.invalidValue, "a value is not a number") }
        return value
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
