import Testing

@testable import MartletTelemetry

@Suite struct LoadReportTests {
    @Test func header_whenWritten_isExactlyOrcaText() {
        var report = LoadReport(
            applicationUtilization: 0.5, cpuUtilization: 0.3, requestsPerSecond: 10.5)
        report.queueDepth = 3
        #expect(
            report.headerValue == "TEXT application_utilization=0.5,cpu_utilization=0.3,"
                + "rps_fractional=10.5,eps=0,named_metrics.queue_depth=3")
    }

    @Test(arguments: LoadReport.Form.allCases)
    func header_whenReadBack_isTheSameReport(form: LoadReport.Form) throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var report = LoadReport(
                applicationUtilization: .random(in: 0...2, using: &generator),
                cpuUtilization: .random(in: 0...1, using: &generator),
                memoryUtilization: .random(in: 0...1, using: &generator),
                requestsPerSecond: .random(in: 0...1e6, using: &generator),
                errorsPerSecond: .random(in: 0...1e-9, using: &generator),
                namedMetrics: ["a.b/c-D_1": .random(in: 0...1e300, using: &generator)])
            report.requestsInFlight = Double(Int.random(in: 0...1000, using: &generator))
            #expect(try LoadReport(headerValue: report.headerValue(as: form)) == report)
            #expect(try LoadReport(binaryHeaderValue: report.binaryHeaderValue) == report)
        }
    }

    @Test(arguments: [
        "TEXT cpu_utilization=0.3, mem_utilization=0.8, rps_fractional=10.0, eps=1",
        "TEXT cpu_utilization:0.3,mem_utilization:0.8,rps_fractional:1e1,eps:1",
        "TEXT rps=10,cpu_utilization=0.3,mem_utilization=0.8,rps_fractional=10,eps=1,"
            + "request_cost.bytes=9,utilization.disk=0.2",
    ])
    func header_whenWrittenByOthers_isRead(text: String) throws {
        let expected = LoadReport(
            cpuUtilization: 0.3, memoryUtilization: 0.8, requestsPerSecond: 10, errorsPerSecond: 1)
        #expect(try LoadReport(headerValue: text) == expected)
    }

    @Test(arguments: [
        ("", LoadReportError.Code.unsupportedFormat),
        ("cpu_utilization=0.3", .unsupportedFormat),
        ("TEXTcpu_utilization=0.3", .unsupportedFormat),
        ("XML <cpu_utilization>0.3</cpu_utilization>", .unsupportedFormat),
        ("TEXT ", .malformedMetric),
        ("TEXT cpu_utilization", .malformedMetric),
        ("TEXT =0.3", .malformedMetric),
        ("TEXT cpu_utilization=0.3,", .malformedMetric),
        ("TEXT unknown=1", .malformedMetric),
        ("TEXT named_metrics.=1", .malformedMetric),
        ("TEXT named_metrics.a\u{1B}b=1", .malformedMetric),
        ("TEXT other.a=1", .malformedMetric),
        ("TEXT cpu_utilization=", .invalidValue),
        ("TEXT cpu_utilization=nan", .invalidValue),
        ("TEXT cpu_utilization=inf", .invalidValue),
        ("TEXT cpu_utilization=-0.1", .invalidValue),
        ("TEXT cpu_utilization=+0.1", .invalidValue),
        ("TEXT cpu_utilization=0x10", .invalidValue),
        ("TEXT cpu_utilization=1e999", .invalidValue),
        ("TEXT cpu_utilization=0.3 0.4", .invalidValue),
        ("TEXT cpu_utilization=0.3=0.4", .invalidValue),
        ("TEXT cpu_utilization=1.", .invalidValue),
        ("TEXT cpu_utilization=0.000000000000000000000000000000001", .invalidValue),
        ("TEXT mem_utilization=1.5", .invalidValue),
        ("TEXT utilization.disk=1.5", .invalidValue),
        ("TEXT eps=1,eps=1", .duplicateMetric),
    ])
    func header_whenMalformed_isRefused(text: String, code: LoadReportError.Code) {
        #expect { try LoadReport(headerValue: text) } throws: { error in
            (error as? LoadReportError)?.code == code
        }
    }

    @Test func header_whenOverALimit_isRefused() {
        let many = (0...LoadReportLimits.fields).map { "named_metrics.m\($0)=1" }
        let long = "TEXT " + String(repeating: " ", count: LoadReportLimits.headerBytes)
        for text in ["TEXT " + many.joined(separator: ","), long] {
            #expect { try LoadReport(headerValue: text) } throws: { error in
                (error as? LoadReportError)?.code == .tooLarge
            }
        }
        let name = String(repeating: "n", count: LoadReportLimits.nameBytes)
        #expect(throws: LoadReportError.self) {
            try LoadReport(headerValue: "TEXT named_metrics.\(name)=1")
        }
    }

    @Test func header_whenAReportCannotBeSaid_leavesThatOut() throws {
        var report = LoadReport(applicationUtilization: .nan, cpuUtilization: -1)
        report.memoryUtilization = 1.5
        report.namedMetrics = ["bad name": 1, "": 1, "a,b": 1, "good": 2, "infinite": .infinity]
        #expect(report.headerValue == "TEXT rps_fractional=0,eps=0,named_metrics.good=2")
        report.namedMetrics = [:]
        for index in 0..<1000 {
            report.namedMetrics["\(String(repeating: "n", count: 80)).\(index)"] = 1
        }
        for form in LoadReport.Form.allCases {
            let read = try LoadReport(headerValue: report.headerValue(as: form))
            #expect((10...LoadReportLimits.fields).contains(read.namedMetrics.count))
        }
    }
}
