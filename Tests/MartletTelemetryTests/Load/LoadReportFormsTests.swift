import Testing

@testable import MartletTelemetry

@Suite("Forms of load reports")
struct LoadReportFormsTests {
    private let expected = LoadReport(
        applicationUtilization: 0.5, cpuUtilization: 0.25, requestsPerSecond: 10,
        errorsPerSecond: 1, namedMetrics: ["queue_depth": 3])

    /// What Python's `OrcaLoadReport(...).SerializeToString()` writes of it, `rps=7` and
    /// `request_cost={"bytes": 9}` besides.
    private let message =
        "CQAAAAAAANA/GAciEAoFYnl0ZXMRAAAAAAAAIkAxAAAAAAAAJEA5AAAAAAAA8D9CFgoLcXVldWVfZGVwdGgR"
        + "AAAAAAAACEBJAAAAAAAA4D8="

    @Test(arguments: [
        """
        JSON {"application_utilization": 0.5, "cpu_utilization": 0.25, "rps_fractional": 10.0,
         "eps": 1, "named_metrics": {"queue_depth": 3}}
        """,
        // As protobuf's own writer names them, and writes whole numbers of 64 bits.
        """
        JSON {"applicationUtilization":0.5,"cpuUtilization":2.5e-1,"rps":"7","rpsFractional":10,
        "eps":1,"requestCost":{"bytes":9},"utilization":{},"namedMetrics":{"queue_depth":3.0}}
        """,
    ])
    func json_whenWrittenByOthers_isRead(text: String) throws {
        #expect(try LoadReport(headerValue: text) == expected)
    }

    @Test func json_whenWritten_isTheMessageInJSON() {
        #expect(
            expected.headerValue(as: .json)
                == #"JSON {"application_utilization":0.5,"cpu_utilization":0.25,"#
                + #""rps_fractional":10,"eps":1,"named_metrics":{"queue_depth":3}}"#)
    }

    @Test func message_whenWrittenByOthers_isRead() throws {
        #expect(try LoadReport(headerValue: "BIN " + message) == expected)
        #expect(try LoadReport(binaryHeaderValue: message) == expected)
        // gRPC leaves the padding out.
        #expect(try LoadReport(binaryHeaderValue: String(message.dropLast())) == expected)
    }

    @Test func message_withFieldsOfTheFuture_isReadWithoutThem() throws {
        // Fields 100 and 101, of each kind, in front of `eps: 1`.
        let future: [UInt8] = [
            0xA0, 0x06, 0xFF, 0x01, 0xA2, 0x06, 2, 1, 2, 0xAD, 0x06, 1, 2, 3, 4,
            0x39, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F,
        ]
        #expect(try LoadReport(message: future) == LoadReport(errorsPerSecond: 1))
    }

    @Test(arguments: [
        ("JSON ", LoadReportError.Code.malformedContent),
        ("JSON []", .malformedContent),
        (#"JSON {"eps": 1"#, .malformedContent),
        (#"JSON {"eps": 1,}"#, .malformedContent),
        (#"JSON {"eps": 1} x"#, .malformedContent),
        (#"JSON {"eps" 1}"#, .malformedContent),
        (#"JSON {eps: 1}"#, .malformedContent),
        (#"JSON {"eps": true}"#, .invalidValue),
        (#"JSON {"eps": null}"#, .invalidValue),
        (#"JSON {"eps": "NaN"}"#, .invalidValue),
        (#"JSON {"eps": -1}"#, .invalidValue),
        (#"JSON {"eps": {"a": 1}}"#, .malformedMetric),
        (#"JSON {"eps": 1, "eps": 1}"#, .duplicateMetric),
        (#"JSON {"eps": 1, "other": 1}"#, .malformedMetric),
        (#"JSON {"named_metrics": {"a": {"b": 1}}}"#, .invalidValue),
        (#"JSON {"named_metrics": {"a\u0062": 1}}"#, .malformedMetric),
        (#"JSON {"mem_utilization": 1.5}"#, .invalidValue),
        ("BIN", .unsupportedFormat),
        ("BIN #", .malformedContent),
        ("BIN OQAA", .malformedContent),
        ("BIN OQAAAAAAAPB/", .invalidValue),
        ("BIN OQAAAAAAAPA/OQAAAAAAAPA/", .duplicateMetric),
        // A group, which protobuf has given up.
        ("BIN Cw==", .malformedContent),
        // A length beyond the end, and one beyond all bounds.
        ("BIN QgU=", .malformedContent),
        ("BIN Qv///////////wE=", .malformedContent),
        // A number without an end.
        ("BIN GP///////////////w==", .malformedContent),
    ])
    func reports_whenMalformed_areRefused(text: String, code: LoadReportError.Code) {
        #expect {
            let report = try LoadReport(headerValue: text)
            Issue.record("\(text) was read as \(report)")
        } throws: { error in
            (error as? LoadReportError)?.code == code
        }
    }

    @Test func json_beyondTheLimits_isRefused() {
        let metrics = (0...LoadReportLimits.fields).map { "\"m\($0)\":1" }
        let many = "JSON {\"named_metrics\":{\(metrics.joined(separator: ","))}}"
        let deep = "JSON " + String(repeating: "{\"named_metrics\":", count: 200)
        for text in [many, deep] {
            #expect(throws: LoadReportError.self) { try LoadReport(headerValue: text) }
        }
    }

    @Test func bytesAtRandom_areReadOrRefused() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let count = Int.random(in: 0...40, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            _ = try? LoadReport(message: bytes)
            let text = String(decoding: bytes, as: UTF8.self)
            for form in LoadReport.Form.allCases {
                _ = try? LoadReport(headerValue: "\(form.rawValue) \(text)")
            }
        }
    }

    @Test func form_isAskedForInAnyCase() {
        #expect(LoadReport.Form(asked: "text") == .text)
        #expect(LoadReport.Form(asked: "Json") == .json)
        #expect(LoadReport.Form(asked: "BIN") == .binary)
        #expect(LoadReport.Form(asked: "XML") == nil)
    }
}
