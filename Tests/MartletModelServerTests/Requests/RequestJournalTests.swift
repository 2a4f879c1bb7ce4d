import Logging
import MartletCore
import MartletTelemetry
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Journal of requests")
struct RequestJournalTests {
    private let metrics = MetricsRegistry()
    private let journal: RequestJournal

    init() {
        journal = RequestJournal(metrics: metrics, accessLog: .disabled) { $0 == "known" }
    }

    private func record(
        _ model: String?, _ version: Int64? = nil, operation: String = "predict",
        code: StatusCode = .ok, api: RequestAPI = .rest
    ) -> RequestRecord {
        var subject = RequestSubject(operation: operation)
        subject.isPrediction = operation == "predict"
        subject.model = model
        subject.version = version
        subject.signature = version == nil ? nil : "s"
        return RequestRecord(
            api: api, method: "POST", path: "/", subject: subject, code: code,
            status: .http(code.httpStatus), requestBytes: 0, responseBytes: 0,
            context: RequestContext(remoteAddress: "127.0.0.1:1"))
    }

    /// The samples of the request counter, without its name.
    private var counts: [String] {
        String(decoding: metrics.prometheusText(), as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("martlet_requests_total{") }
            .map { String($0.dropFirst("martlet_requests_total".count)) }
    }

    @Test func request_isCountedByModelVersionMethodAndCode() {
        journal.write(record("known", 3))
        journal.write(record("known", 3))
        journal.write(record("known", 3, code: .invalidArgument, api: .grpc))
        #expect(
            counts == [
                #"{model="known",version="3",signature="s",api="grpc",method="predict",code="INVALID_ARGUMENT"} 1"#,
                #"{model="known",version="3",signature="s",api="rest",method="predict",code="OK"} 2"#,
            ])
        #expect(metrics.misuses.isEmpty)
    }

    @Test func modelNames_thatClientsMadeUp_becomeNoLabels() {
        for number in 0..<100 {
            journal.write(record("made-up-\(number)", Int64(number), code: .notFound))
        }
        journal.write(record(nil, code: .notFound))
        #expect(
            counts == [
                #"{model="",version="",signature="",api="rest",method="predict",code="NOT_FOUND"} 101"#
            ])
    }

    @Test func versions_thatAreNotFound_becomeNoLabels() {
        for number in 0..<100 { journal.write(record("known", Int64(number), code: .notFound)) }
        #expect(
            counts == [
                #"{model="known",version="",signature="",api="rest",method="predict",code="NOT_FOUND"} 100"#
            ])
    }

    @Test func durations_areObservedForEachRequest() {
        for _ in 0..<3 { journal.write(record("known", 3)) }
        let text = String(decoding: metrics.prometheusText(), as: UTF8.self)
        let labels = #"{model="known",version="3",signature="s",api="rest",method="predict"}"#
        #expect(text.contains("martlet_request_duration_seconds_count\(labels) 3\n"))
    }

    @Test func counts_tellOpenCompletedAndFailed() {
        for _ in 0..<5 { journal.didReceive() }
        #expect(journal.counts == (completed: 0, failed: 0, open: 5))
        journal.didAnswer(record("known"))
        journal.didAnswer(record("known", code: .invalidArgument))
        journal.didAnswer(record("known", code: .internal))
        #expect(journal.counts == (completed: 3, failed: 1, open: 2))
        let text = String(decoding: metrics.prometheusText(), as: UTF8.self)
        #expect(text.contains("martlet_requests_in_flight 2\n"))
    }

    @Test func refusalBeforeReceiving_leavesOpenRequestsAlone() {
        journal.didReceive()
        journal.write(record(nil, operation: "predict", code: .resourceExhausted))
        #expect(journal.counts == (completed: 1, failed: 1, open: 1))
    }

    /// What is reported as load decides the endpoint's weight: looking at a node is no work.
    @Test func requests_thatAreNoPredictions_areNoLoad() {
        for operation in ["", "status", "metadata", "models", "live", "ready", "metrics"] {
            journal.write(record(nil, operation: operation, code: .internal))
        }
        #expect(journal.counts == (completed: 0, failed: 0, open: 0))
        #expect(counts.count == 7)
    }

    @Test(arguments: StatusCode.allCases)
    func failures_areThoseOfTheNodeAndNotOfTheClient(code: StatusCode) {
        let nodes: Set<StatusCode> = [
            .internal, .unknown, .unavailable, .dataLoss, .resourceExhausted, .deadlineExceeded,
        ]
        journal.write(record("known", code: code))
        #expect(journal.counts.failed == (nodes.contains(code) ? 1 : 0))
    }

    @Test func latency_isOfPredictionsThatWentWell() throws {
        #expect(journal.latency(inFlight: 0) == nil)
        journal.write(record("known", 3, operation: "metadata"))
        journal.write(record("known", 3, code: .unavailable))
        #expect(journal.latency(inFlight: 0) == nil)
        journal.write(record("known", 3))
        #expect(try #require(journal.latency(inFlight: 0)) >= 0)
    }
}
