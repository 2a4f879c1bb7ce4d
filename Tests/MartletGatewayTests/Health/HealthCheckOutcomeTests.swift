import MartletCore
import MartletTelemetry
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Outcomes of health checks", .timeLimit(.minutes(10)))
struct HealthCheckOutcomeTests {
    @Test func node_whoseModelsAllAnswer_isReady() async throws {
        let outcome = try await FakeNode.outcome(.ready)
        #expect(outcome.isReady && !outcome.isDegraded)
        #expect(
            outcome.models
                == [
                    ModelStatus(
                        name: "a", versions: [ModelVersionStatus(version: "1", state: "AVAILABLE")])
                ])
        #expect(outcome.load == nil)
    }

    @Test func node_withSomeModelsThatAnswer_isDegraded() async throws {
        let outcome = try await FakeNode.outcome(.degraded)
        #expect(!outcome.isReady && outcome.isDegraded)
        #expect(outcome.models?.map(\.name) == ["a", "b"])
    }

    @Test func node_withoutAModelThatAnswers_isNeither() async throws {
        let outcome = try await FakeNode.outcome(.unavailable)
        #expect(!outcome.isReady && !outcome.isDegraded)
    }

    @Test func node_thatDrains_isNeitherThoughItsModelsAnswer() async throws {
        let outcome = try await FakeNode.outcome(.draining)
        #expect(!outcome.isReady && !outcome.isDegraded)
    }

    @Test func listing_thatCannotBeRead_isUnknown() async throws {
        let outcome = try await FakeNode.outcome(.nonsense)
        #expect(outcome.models == nil)
    }

    @Test(arguments: [
        (#", "version_labels": {"stable": "2"}"#, ["stable": 2] as [String: Int64]?),
        (#", "version_labels": {}"#, [:]), ("", nil), (#", "version_labels": null"#, nil),
        // Another's, of which nothing is known; the rest still counts.
        (#", "version_labels": {"stable": "two"}"#, nil), (#", "version_labels": [1]"#, nil),
    ])
    func labels_areThoseThatTheNodeTells(member: String, labels: [String: Int64]?) {
        let listing = #"{"models": [{"name": "a", "model_version_status": []\#(member)}]}"#
        let outcome = HealthCheckOutcome(
            readiness: HTTPResponse(status: 200, headers: [:]),
            listing: HTTPResponse(status: 200, headers: [:], body: Array(listing.utf8)))
        #expect(outcome.models == [ModelStatus(name: "a", versions: [], labels: labels)])
    }

    @Test func report_isTakenFromTheHeader() async throws {
        let report = LoadReport(
            applicationUtilization: 0.25, cpuUtilization: 0.5, requestsPerSecond: 100,
            errorsPerSecond: 2)
        let outcome = try await FakeNode.outcome(.ready, report: report)
        #expect(outcome.load == LoadSample(rps: 100, eps: 2, utilization: 0.5))
    }

    @Test(arguments: LoadReport.Form.allCases)
    func report_ofAnyForm_isTaken(form: LoadReport.Form) {
        let report = LoadReport(cpuUtilization: 0.5, requestsPerSecond: 10)
        let readiness = HTTPResponse(
            status: 200, headers: [LoadReport.headerName: report.headerValue(as: form)])
        let outcome = HealthCheckOutcome(readiness: readiness, listing: nil)
        #expect(outcome.load == LoadSample(rps: 10, eps: 0, utilization: 0.5))
    }

    @Test(arguments: TrafficPolicy.Health.CheckProtocol.allCases)
    func node_thatCannotBeReached_isNeither(
        byProtocol checkProtocol: TrafficPolicy.Health.CheckProtocol
    ) async throws {
        let eventLoops = EventLoops(count: 1)
        // Port 1 needs privileges nobody uses here.
        var health = TrafficPolicy.Health.patient
        health.checkProtocol = checkProtocol
        let outcome = try await HealthCheck(health, encryption: nil, eventLoops: eventLoops)
            .outcome(of: UpstreamAddress(host: "127.0.0.1", port: 1))
        await eventLoops.shutDown()
        #expect(!outcome.isReady && !outcome.isDegraded)
        #expect(outcome.models == nil && outcome.load == nil)
    }
}
