public import MartletTelemetry

/// What the fields of an answer, or its trailers, say of a server's load.
public enum LoadReading: Sendable, Hashable {
    /// They say this.
    case report(LoadReport)
    /// They cannot be read.
    case malformed(LoadReportError)
}

/// The fields by which servers report their load (ORCA), picked out of the others.
///
/// They are between a server and who asks it, as those of a connection are: a gateway takes them in
/// and passes none of them on.
struct LoadReportFields: Sendable {
    /// The form in which a report is asked for.
    private(set) var askedForm: LoadReport.Form?
    private var plain: String?
    private var binary: String?
    private var isRepeated = false

    /// Whether this is the name of one, in lower case.
    static func contain(_ name: String) -> Bool {
        // Few others are as long.
        switch name.utf8.count {
        case 21: name == LoadReport.headerName
        case 25: name == LoadReport.binaryHeaderName
        case 28: name == LoadReport.requestHeaderName
        default: false
        }
    }

    /// Takes a field, the name of which is in lower case; `false` for one of the others.
    mutating func take(_ name: String, _ value: String) -> Bool {
        guard LoadReportFields.contain(name) else { return false }
        switch name {
        case LoadReport.headerName: takePlain(value)
        case LoadReport.binaryHeaderName: takeBinary(value)
        default: takeRequest(value)
        }
        return true
    }

    mutating func takePlain(_ value: String) {
        isRepeated = isRepeated || plain != nil
        plain = value
    }

    mutating func takeBinary(_ value: String) {
        isRepeated = isRepeated || binary != nil
        binary = value
    }

    mutating func takeRequest(_ value: String) { askedForm = LoadReport.Form(asked: value) }

    /// What they say; `nil` where there are none.
    ///
    /// Of both fields the message alone counts, as with Envoy.
    var reading: LoadReading? {
        do throws(LoadReportError) {
            guard !isRepeated else {
                throw LoadReportError(.duplicateMetric, "there are two load reports")
            }
            if let binary { return .report(try LoadReport(binaryHeaderValue: binary)) }
            guard let plain else { return nil }
            return .report(try LoadReport(headerValue: plain))
        } catch {
            return .malformed(error)
        }
    }
}
