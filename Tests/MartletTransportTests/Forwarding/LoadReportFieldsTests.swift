import MartletTelemetry
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

private let name = LoadReport.headerName
private let binaryName = LoadReport.binaryHeaderName
private let requestName = LoadReport.requestHeaderName
private let report = LoadReport(cpuUtilization: 0.5, requestsPerSecond: 10)

@Suite("Fields of load reports")
struct LoadReportFieldsTests {
    private func reading(_ fields: (String, String)...) -> LoadReading? {
        var load = LoadReportFields()
        for (name, value) in fields { #expect(load.take(name, value) == true) }
        return load.reading
    }

    @Test func fields_ofOtherNames_areLeft() {
        var load = LoadReportFields()
        for other in [
            "content-type", "endpoint-load-metricz", "endpoint-load-metrics-bim",
            "endpoint-load-metrics-formal", "",
        ] {
            #expect(load.take(other, "TEXT eps=1") == false)
        }
        #expect(load.reading == nil)
        #expect(load.askedForm == nil)
    }

    @Test(arguments: LoadReport.Form.allCases)
    func reports_inEachForm_areRead(form: LoadReport.Form) {
        #expect(reading((name, report.headerValue(as: form))) == .report(report))
    }

    @Test func reports_asMetadataOfGRPC_areRead() {
        #expect(reading((binaryName, report.binaryHeaderValue)) == .report(report))
    }

    @Test func ofBothFields_theMessageCounts() {
        let other = LoadReport(errorsPerSecond: 3)
        #expect(
            reading((name, other.headerValue), (binaryName, report.binaryHeaderValue))
                == .report(report))
    }

    @Test func reports_thatCannotBeRead_areMalformed() {
        let value = report.headerValue
        for malformed in [reading((name, "TEXT eps=x")), reading((name, value), (name, value))] {
            guard case .malformed = malformed else {
                Issue.record("\(String(describing: malformed)) was read")
                continue
            }
        }
    }

    @Test func form_isThatOfTheRequest() {
        var load = LoadReportFields()
        #expect(load.take(requestName, "json") == true)
        #expect(load.askedForm == .json)
        #expect(load.reading == nil)
    }

    // MARK: Heads

    @Test func answersOfHTTP1_tellTheGatewayAlone() throws {
        var parser = HTTP1HeadParser<HTTP1AnswerHead>()
        var bytes = ByteBuffer(
            string: "HTTP/1.1 200 OK\r\na: 1\r\nEndpoint-Load-Metrics: \(report.headerValue)\r\n"
                + "b: 2\r\n\r\n")
        let head = try #require(try parser.next(from: &bytes, limits: HTTP1Limits()))
        #expect(head.loadReport == .report(report))
        #expect(head.fields.map(\.name) == ["a", "b"])
        var changes = FieldChanges()
        changes.added = [.init("c", "3")]
        #expect(
            String(decoding: head.forwarded(changes: changes), as: UTF8.self)
                == "HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\nc: 3\r\n")
        var plain = ByteBuffer(string: "HTTP/1.1 200 OK\r\na: 1\r\n\r\n")
        let other = try #require(try parser.next(from: &plain, limits: HTTP1Limits()))
        #expect(other.loadReport == nil)
    }

    @Test func trailersOfHTTP1_tellTheGatewayAlone() {
        var trailers = ByteBuffer(
            string: "a: 1\r\nEndpoint-Load-Metrics: \(report.headerValue)\r\nb: 2\r\n")
        #expect(trailers.takeLoadReport() == .report(report))
        #expect(String(buffer: trailers) == "a: 1\r\nb: 2\r\n")
        #expect(trailers.takeLoadReport() == nil)
        #expect(String(buffer: trailers) == "a: 1\r\nb: 2\r\n")
    }

    @Test func answersOfHTTP2_tellTheGatewayAlone() throws {
        let head = AnswerHead(
            HPACKHeaders([(":status", "200"), (name, report.headerValue), ("a", "1")]))
        #expect(head.loadReport == .report(report))
        #expect(head.fields.fields.map(\.name) == ["a"])
        #expect(try names(head.block) == [":status", "a"])
        #expect(try names(head.block(changedBy: FieldChanges())) == [":status", "a"])
        let trailers = FieldTrailers(
            HPACKHeaders([("grpc-status", "0"), (binaryName, report.binaryHeaderValue)]))
        #expect(trailers.loadReport == .report(report))
        #expect(try names(trailers.block) == ["grpc-status"])
        #expect(FieldTrailers(HPACKHeaders([("grpc-status", "0")])).loadReport == nil)
    }

    @Test func requestsOfHTTP1_areAskedByTheGatewayAlone() throws {
        var parser = HTTP1HeadParser<HTTP1Head>()
        var bytes = ByteBuffer(
            string: "GET / HTTP/1.1\r\nhost: a\r\n\(requestName): json\r\n\r\n")
        let head = try #require(try parser.next(from: &bytes, limits: HTTP1Limits()))
        #expect(head.loadForm == .json)
        let forwarded = HTTP1ForwardedHead(head, clientAddress: nil)
        var lines: [[Substring]] = []
        for asks in [false, true] {
            var buffer = ByteBuffer()
            forwarded.write(to: &buffer, host: "up", asksForLoad: asks)
            lines.append(String(buffer: buffer).split(separator: "\r\n"))
        }
        #expect(lines[0] == ["GET / HTTP/1.1", "host: a"])
        #expect(lines[1] == ["GET / HTTP/1.1", "host: a", "\(requestName): TEXT"])
    }

    @Test func requestsOfHTTP2_areAskedByTheGatewayAlone() throws {
        let head = RequestHead(
            HPACKHeaders([
                (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"),
                (requestName, "BIN"), ("b", "2"),
            ]))
        #expect(head.loadForm == .binary)
        let forwarded = HTTP2ForwardedHead(head, clientAddress: nil, changes: nil)
        let pseudo = [":method", ":scheme", ":path", ":authority"]
        #expect(try names(forwarded.block) == pseudo + ["b"])
        let asking = forwarded.block(asksForLoad: true, timeLeft: nil)
        #expect(try names(asking) == pseudo + ["b", requestName])
    }

    private func names(_ block: FieldBlock) throws -> [String] {
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator(), maxDynamicTableSize: 0)
        var buffer = ByteBuffer(bytes: block.bytes)
        return try decoder.decodeHeaders(from: &buffer).map(\.name)
    }

    // MARK: Turns

    @Test func oneRequestInAnInterval_asks_ofAllConnections() {
        let upstream = SharedUpstream()
        var options = UpstreamOptions()
        options.loadReportInterval = .milliseconds(100)
        upstream.options = options
        var one = LoadReportTurn(of: upstream)
        var other = LoadReportTurn(of: upstream)
        let start = ContinuousClock.now
        #expect(one.has(attemptAt: start) == true)
        #expect(one.has(attemptAt: start) == false)
        #expect(other.has(attemptAt: start + .milliseconds(99)) == false)
        #expect(other.has(attemptAt: start + .milliseconds(100)) == true)
        #expect(one.has(attemptAt: start + .milliseconds(199)) == false)
        #expect(one.has(attemptAt: start + .milliseconds(200)) == true)
    }

    @Test func withoutAnInterval_nobodyAsks_untilThereIsOne() {
        let upstream = SharedUpstream()
        var turn = LoadReportTurn(of: upstream)
        let start = ContinuousClock.now
        #expect(turn.has(attemptAt: start) == false)
        #expect(turn.has(attemptAt: nil) == false)
        var options = UpstreamOptions()
        options.loadReportInterval = .seconds(3600)
        upstream.options = options
        #expect(turn.has(attemptAt: start + .seconds(1)) == true)
        options.loadReportInterval = .milliseconds(1)
        upstream.options = options
        #expect(turn.has(attemptAt: start + .seconds(2)) == true)
    }
}
