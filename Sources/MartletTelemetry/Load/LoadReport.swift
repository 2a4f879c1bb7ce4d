/// How loaded an endpoint is, in the terms of ORCA (Open Request Cost Aggregation).
///
/// A node sends it as a response header; the gateway derives the endpoint's weight from it.
public struct LoadReport: Sendable, Hashable {
    /// The header that carries a report in any form; the form stands in front of it.
    public static let headerName = "endpoint-load-metrics"
    /// The field that carries a report as a message alone, as gRPC's trailers do (gRFC A51).
    public static let binaryHeaderName = "endpoint-load-metrics-bin"
    /// The request's field that asks for a report along with the answer, as Triton and vLLM know
    /// it, too; its value is a ``Form``.
    public static let requestHeaderName = "endpoint-load-metrics-format"

    /// How a report is written.
    public enum Form: String, Sendable, CaseIterable {
        /// `name=value,...`
        case text = "TEXT"
        /// The message as JSON.
        case json = "JSON"
        /// The message `xds.data.orca.v3.OrcaLoadReport` in base64.
        case binary = "BIN"

        /// The form that a request asks for, in upper or lower case; `nil` for one that is unknown.
        public init?(asked value: String) { self.init(rawValue: value.uppercased()) }
    }

    /// Use of the resource that limits the application: 1 is full; an overload may exceed it.
    public var applicationUtilization: Double
    /// Use of the processors: 1 is all of them.
    public var cpuUtilization: Double
    /// Use of the memory, 0...1.
    public var memoryUtilization: Double
    /// Requests finished per second, failed ones included.
    public var requestsPerSecond: Double
    /// Requests failed per second.
    public var errorsPerSecond: Double
    /// Whatever else the endpoint reports, by name.
    public var namedMetrics: [String: Double]

    /// Makes a report; what is not given is zero, which in ORCA means "not reported".
    public init(
        applicationUtilization: Double = 0,
        cpuUtilization: Double = 0,
        memoryUtilization: Double = 0,
        requestsPerSecond: Double = 0,
        errorsPerSecond: Double = 0,
        namedMetrics: [String: Double] = [:]
    ) {
        self.applicationUtilization = applicationUtilization
        self.cpuUtilization = cpuUtilization
        self.memoryUtilization = memoryUtilization
        self.requestsPerSecond = requestsPerSecond
        self.errorsPerSecond = errorsPerSecond
        self.namedMetrics = namedMetrics
    }

    /// Requests waiting for an engine.
    public var queueDepth: Double? {
        get { namedMetrics["queue_depth"] }
        set { namedMetrics["queue_depth"] = newValue }
    }

    /// Requests received and not yet answered.
    public var requestsInFlight: Double? {
        get { namedMetrics["requests_in_flight"] }
        set { namedMetrics["requests_in_flight"] = newValue }
    }

    /// How long a request takes that finds as many others as there are now, in seconds.
    public var latencySeconds: Double? {
        get { namedMetrics["latency_seconds"] }
        set { namedMetrics["latency_seconds"] = newValue }
    }

    /// Tokens of prompts that the endpoint's language models can keep computed: their KV cells.
    public var kvTokensTotal: Double? {
        get { namedMetrics["kv_tokens_total"] }
        set { namedMetrics["kv_tokens_total"] = newValue }
    }

    /// When the endpoint began, in seconds since 1970: if it changes, all that was kept is lost.
    public var startSeconds: Double? {
        get { namedMetrics["start_seconds"] }
        set { namedMetrics["start_seconds"] = newValue }
    }

    /// The header's value in ORCA's `TEXT` form; see ``headerValue(as:)``.
    public var headerValue: String { headerValue(as: .text) }

    /// The header's value, its form in front.
    ///
    /// Values and names that ``init(headerValue:)`` would refuse are left out, and no more is
    /// written than it reads, so that what one process writes another can always read.
    public func headerValue(as form: Form) -> String {
        let content =
            switch form {
            case .text: Self.text(metrics)
            case .json: Self.json(metrics)
            case .binary: Self.base64(Self.message(metrics))
            }
        return "\(form.rawValue) \(content)"
    }

    /// The value of ``binaryHeaderName``, without padding as gRPC has it.
    public var binaryHeaderValue: String {
        var text = Self.base64(Self.message(metrics))
        while text.hasSuffix("=") { text.removeLast() }
        return text
    }

    /// What is written, by ORCA's names: as much as may be, and fits.
    private var metrics: [(name: String, value: Double)] {
        var metrics: [(name: String, value: Double)] = [
            ("application_utilization", applicationUtilization),
            ("cpu_utilization", cpuUtilization),
            ("rps_fractional", requestsPerSecond),
            ("eps", errorsPerSecond),
        ]
        if memoryUtilization > 0 { metrics.append(("mem_utilization", memoryUtilization)) }
        for (name, value) in namedMetrics.sorted(by: { $0.key < $1.key })
        where LoadReportLimits.isMetricName(name.utf8) {
            metrics.append((Self.namedPrefix + name, value))
        }
        metrics.removeAll { !LoadReportLimits.isValue($0.value, of: $0.name) }
        var bytes = 0
        let fitting = metrics.prefix { metric in
            bytes += metric.name.utf8.count + LoadReportLimits.valueBytes + 8
            // Base64 makes four bytes of three.
            return bytes <= LoadReportLimits.headerBytes / 4 * 3
        }
        return Array(fitting.prefix(LoadReportLimits.fields))
    }

    /// What stands in front of the names of metrics that ORCA does not know.
    static let namedPrefix = "named_metrics."

    private static func text(_ metrics: [(name: String, value: Double)]) -> String {
        var bytes: [UInt8] = []
        for (name, value) in metrics {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes.append(text: name)
            bytes.append(UInt8(ascii: "="))
            bytes.append(number: value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Bounds on a load report from another process.
enum LoadReportLimits {
    /// Bytes of the header's value.
    static let headerBytes = 4096
    /// Metrics in one report.
    static let fields = 64
    /// Bytes of one metric's name.
    static let nameBytes = 128
    /// Bytes of one value.
    static let valueBytes = 32

    /// Whether `name` is made of letters, digits, `_`, `.`, `-` and `/`, and is not too long.
    static func isMetricName(_ name: some Collection<UInt8>) -> Bool {
        guard !name.isEmpty, name.count <= nameBytes - LoadReport.namedPrefix.utf8.count else {
            return false
        }
        return name.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
    }

    /// Whether ORCA's rules allow `value`: finite, not negative, and shares of a whole at most 1.
    static func isValue(_ value: Double, of name: String) -> Bool {
        guard value.isFinite, value >= 0 else { return false }
        let isShare = name == "mem_utilization" || name.hasPrefix("utilization.")
        return !isShare || value <= 1
    }
}
