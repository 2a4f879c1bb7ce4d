internal import Foundation

/// Why a load report was refused.
public struct LoadReportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of defect.
    public struct Code: Sendable, Hashable {
        private let name: String

        /// The header is longer, or holds more metrics, than the limits allow.
        public static let tooLarge = Code(name: "too large")
        /// The value begins with no form that is known.
        public static let unsupportedFormat = Code(name: "unsupported format")
        /// What should be JSON, or a message in base64, is not.
        public static let malformedContent = Code(name: "malformed content")
        /// A metric is not `name=value`, its name is not allowed, or ORCA has no such metric.
        public static let malformedMetric = Code(name: "malformed metric")
        /// A value is not a number, is negative, or is not finite.
        public static let invalidValue = Code(name: "invalid value")
        /// A metric occurs twice.
        public static let duplicateMetric = Code(name: "duplicate metric")
    }

    /// The kind of defect.
    public let code: Code
    /// What was wrong, without the text received, which may be hostile.
    public let message: String

    /// The message.
    public var description: String { message }

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension LoadReport {
    /// Reads the value of a load report header, such as
    /// `TEXT application_utilization=0.5,named_metrics.queue_depth=3`,
    /// `JSON {"application_utilization": 0.5}` or `BIN` with the message in base64.
    ///
    /// ORCA's metrics that have no place here (`rps`, `request_cost.*`, `utilization.*`) are
    /// checked and then ignored.
    public init(headerValue: String) throws(LoadReportError) {
        let bytes = headerValue.utf8
        try Self.checkLength(bytes)
        let form = Form.allCases.first { bytes.starts(with: "\($0.rawValue) ".utf8) }
        guard let form else {
            throw LoadReportError(.unsupportedFormat, "the load report is of no form that is known")
        }
        let content = bytes.dropFirst(form.rawValue.utf8.count + 1)
        switch form {
        case .text: try self.init(text: content)
        case .json: try self.init(json: content)
        case .binary: try self.init(base64: content)
        }
    }

    /// Reads the value of ``binaryHeaderName``: the message in base64, with or without padding.
    public init(binaryHeaderValue: String) throws(LoadReportError) {
        try Self.checkLength(binaryHeaderValue.utf8)
        try self.init(base64: binaryHeaderValue.utf8[...])
    }

    private static func checkLength(_ bytes: String.UTF8View) throws(LoadReportError) {
        guard bytes.count <= LoadReportLimits.headerBytes else {
            throw LoadReportError(.tooLarge, "the load report is too long")
        }
    }

    // MARK: Text

    /// `:` is read like `=`, for Envoy's reader and some writers use it.
    private init(text: Substring.UTF8View) throws(LoadReportError) {
        let fields = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard fields.count <= LoadReportLimits.fields else {
            throw LoadReportError(.tooLarge, "the load report has too many metrics")
        }
        var reader = LoadReportReader()
        for field in fields {
            let (name, value) = try Self.metric(field)
            try reader.take(name, value)
        }
        self = reader.report
    }

    private static func metric(
        _ field: Substring.UTF8View
    ) throws(LoadReportError) -> (name: String, value: Double) {
        let parts = field.split(
            maxSplits: 1, omittingEmptySubsequences: false,
            whereSeparator: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") })
        guard parts.count == 2 else {
            throw LoadReportError(.malformedMetric, "a metric is not name=value")
        }
        let name = String(Substring(trimmed(parts[0])))
        guard !name.isEmpty, name.utf8.count <= LoadReportLimits.nameBytes else {
            throw LoadReportError(.malformedMetric, "a metric has no usable name")
        }
        return (name, try LoadReportReader.number(trimmed(parts[1])))
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
        }
        var rest = text.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    // MARK: Base64

    private init(base64: Substring.UTF8View) throws(LoadReportError) {
        let padding = String(repeating: "=", count: (4 - base64.count % 4) % 4)
        guard let message = Data(base64Encoded: String(Substring(base64)) + padding) else {
            throw LoadReportError(.malformedContent, "the load report is not in base64")
        }
        try self.init(message: Array(message))
    }

    static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}
