import MartletTelemetry

/// Load reports along with answers, for those who ask for them.
extension RequestResponder {
    /// The field that reports the load in this form; `nil` where nobody asks, or there is none.
    func loadField(
        as form: LoadReport.Form?, isGRPC: Bool = false
    ) -> (name: String, value: String)? {
        guard let form, let report = loadReport else { return nil }
        // gRPC's own name for a message among its metadata (gRFC A51).
        if isGRPC, form == .binary {
            return (LoadReport.binaryHeaderName, report.binaryHeaderValue)
        }
        return (LoadReport.headerName, report.headerValue(as: form))
    }

    /// An answer with the load, unless it tells of it by itself.
    func reporting(_ answer: HTTPResponse, as form: LoadReport.Form?) -> HTTPResponse {
        guard let field = loadField(as: form), answer.headers.first(field.name) == nil else {
            return answer
        }
        var answer = answer
        answer.headers.add(field.name, field.value)
        return answer
    }
}
