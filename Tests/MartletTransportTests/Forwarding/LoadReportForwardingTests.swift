import Foundation
import MartletCore
import MartletTelemetry
import NIOCore
import NIOHPACK
import NIOPosix
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import MartletTransport

private let report = LoadReport(
    applicationUtilization: 0.25, requestsPerSecond: 40,
    namedMetrics: ["requests_in_flight": 3, "latency_seconds": 0.5])

@Suite("Load reports along with answers", .timeLimit(.minutes(10)))
struct LoadReportForwardingTests {
    // MARK: Servers

    @Test func server_thatIsAsked_reportsOverHTTP1() async throws {
        try await TestServer.run(TestResponder(loadReport: report)) { (server) async throws in
            for form in LoadReport.Form.allCases {
                let answer = try await get(server, [(LoadReport.requestHeaderName, form.rawValue)])
                #expect(
                    answer.headers.first(LoadReport.headerName) == report.headerValue(as: form))
            }
            for fields in [[], [(LoadReport.requestHeaderName, "XML")]] {
                let answer = try await get(server, fields)
                #expect(answer.headers.first(LoadReport.headerName) == nil)
            }
        }
    }

    @Test func server_thatReportsByItself_reportsOnce() async throws {
        let responder = TestResponder(
            http: { _, reply in
                var answer = HTTPResponse(status: 200)
                answer.headers.add(LoadReport.headerName, "TEXT eps=7")
                reply.send(answer)
            }, loadReport: report)
        try await TestServer.run(responder) { (server) async throws in
            let answer = try await get(server, [(LoadReport.requestHeaderName, "TEXT")])
            let values = answer.headers.fields.filter { $0.name == LoadReport.headerName }
            #expect(values.map(\.value) == ["TEXT eps=7"])
        }
    }

    @Test(arguments: [
        (LoadReport.Form.text, LoadReport.headerName), (.json, LoadReport.headerName),
        (.binary, LoadReport.binaryHeaderName),
    ])
    func server_thatIsAsked_reportsInTrailersOfGRPC(
        form: LoadReport.Form, name: String
    ) async throws {
        try await TestServer.run(TestResponder(loadReport: report)) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.call(
                "/a.B/Call", [(LoadReport.requestHeaderName, form.rawValue)])
            try await stream.send(message: [1], end: true)
            await stream.readToEnd()
            #expect(stream.messages == [[1]])
            #expect(stream.headers.last?.first(name: "grpc-status") == "0")
            #expect(stream.headers.first?.first(name: name) == nil)
            let value = try #require(stream.headers.last?.first(name: name))
            var load = LoadReportFields()
            #expect(load.take(name, value) == true)
            #expect(load.reading == .report(report))
            await client.close()
        }
    }

    @Test func server_thatIsAsked_reportsWithFailuresOfGRPC() async throws {
        let responder = TestResponder(
            grpc: { $1.send(.failure(.notFound, "no")) }, loadReport: report)
        try await TestServer.run(responder) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.call(
                "/a.B/Call", [(LoadReport.requestHeaderName, "TEXT")])
            try await stream.send(message: [1], end: true)
            await stream.readToEnd()
            #expect(stream.field("grpc-status") == "5")
            #expect(stream.field(LoadReport.headerName) == report.headerValue)
            await client.close()
        }
    }

    private func get(
        _ server: TestServer, _ fields: [(String, String)]
    ) async throws -> HTTPResponse {
        try await ControlClient(eventLoops: server.eventLoops).send(
            ControlRequest(
                path: "/", headers: HeaderFields(fields.map { (name: $0.0, value: $0.1) })),
            host: "127.0.0.1", port: server.listener.port, timeout: .seconds(120))
    }

    // MARK: Gateways

    @Test func gateway_asksOnceInAnInterval_andTellsNobody() async throws {
        try await TestServer.run(TestResponder(loadReport: report)) { (server) async throws in
            try await throughGateway(to: server) { (gateway, policy) async throws in
                let client = ControlClient(eventLoops: server.eventLoops)
                for _ in 0..<5 {
                    let answer = try await client.send(
                        // Whoever asks the gateway is told nothing, and changes nothing.
                        ControlRequest(path: "/", headers: [LoadReport.requestHeaderName: "TEXT"]),
                        host: "127.0.0.1", port: gateway.port, timeout: .seconds(120))
                    #expect(answer.status == 200)
                    #expect(answer.headers.first(LoadReport.headerName) == nil)
                }
                #expect(policy.readings == [.report(report)])
            }
        }
    }

    @Test func gateway_takesReportsFromTrailersOfGRPC() async throws {
        try await TestServer.run(TestResponder(loadReport: report)) { (server) async throws in
            try await throughGateway(to: server) { (gateway, policy) async throws in
                let client = try await HTTP2Client.connect(
                    to: TestServer(
                        listener: gateway, eventLoops: server.eventLoops, drain: {}))
                for _ in 0..<3 {
                    let stream = try await client.call("/a.B/Call")
                    try await stream.send(message: [1], end: true)
                    await stream.readToEnd()
                    #expect(stream.field("grpc-status") == "0")
                    #expect(stream.field(LoadReport.headerName) == nil)
                }
                await client.close()
                #expect(policy.readings == [.report(report)])
            }
        }
    }

    @Test func gateway_takesReportsThatItDidNotAskFor_andNotesMalformedOnes() async throws {
        let responder = TestResponder(http: { _, reply in
            var answer = HTTPResponse(status: 200)
            answer.headers.add(LoadReport.headerName, "TEXT eps=seven")
            reply.send(answer)
        })
        try await TestServer.run(responder) { (server) async throws in
            try await throughGateway(to: server) { (gateway, policy) async throws in
                let answer = try await ControlClient(eventLoops: server.eventLoops).get(
                    host: "127.0.0.1", port: gateway.port, path: "/", timeout: .seconds(120))
                #expect(answer.status == 200)
                guard case .malformed = policy.readings.first else {
                    Issue.record("\(policy.readings)")
                    return
                }
            }
        }
    }

    /// Runs `body` beside a gateway that asks its server for a report once an hour.
    private func throughGateway(
        to server: TestServer,
        _ body: @Sendable (Listener, LoadPolicy) async throws -> Void
    ) async throws {
        let address = UpstreamAddress(host: "127.0.0.1", port: server.listener.port)
        let pools = try await UpstreamPools(
            eventLoops: server.eventLoops, limits: .patient)
        var options = UpstreamOptions()
        options.loadReportInterval = .seconds(3600)
        pools.setOptions(options, for: address)
        let policy = LoadPolicy(address)
        let gateway = try await Listener.bind(
            to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: policy, through: pools,
            limits: .patient, eventLoops: server.eventLoops, logger: TestServer.silent)
        try await testGracefulShutdown { trigger in
            async let running: Void = gateway.run()
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(gateway, policy))
            } catch {
                result = .failure(error)
            }
            trigger.triggerGracefulShutdown()
            try await running
            try result.get()
        }
    }

    // MARK: Probes

    @Test func probe_tellsWhatTheServerReports_overAConnectionThatIsKept() async throws {
        let connections = Mutex<Set<String>>([])
        let responder = TestResponder(
            http: { request, reply in
                connections.withLock { _ = $0.insert(request.context.remoteAddress) }
                reply.send(HTTPResponse(status: request.path == "/load" ? 503 : 404))
            }, loadReport: report)
        try await TestServer.run(responder) { (server) async throws in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let address = UpstreamAddress(host: "127.0.0.1", port: server.listener.port)
            for _ in 0..<20 {
                let outcome = await pools.probeLoad(
                    of: address, path: "/load", timeout: .seconds(120))
                #expect(outcome == .report(report))
            }
        }
        // One for each event loop.
        #expect(connections.withLock { $0.count } <= 2)
    }

    @Test(.enabled(if: LoadReportForwardingTests.hasIPv6))
    func probe_ofAnIPv6Address_isAnswered() async throws {
        let responder = TestResponder(
            http: { _, reply in reply.send(HTTPResponse(status: 200)) }, loadReport: report)
        try await TestServer.run(responder, at: .tcp(host: "::1", port: 0)) {
            (server) async throws in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let address = UpstreamAddress(host: "::1", port: server.listener.port)
            let outcome = await pools.probeLoad(of: address, path: "/", timeout: .seconds(120))
            #expect(outcome == .report(report))
        }
    }

    /// Whether this machine has the loopback address of IPv6.
    static let hasIPv6 =
        FileManager.default.contents(atPath: "/proc/net/if_inet6").map {
            String(decoding: $0, as: UTF8.self).contains("00000000000000000000000000000001")
        } ?? false

    @Test func addresses_areNamedInRequestsWithIPv6InBrackets() {
        #expect(UpstreamAddress(host: "::1", port: 8501).authority == "[::1]:8501")
        #expect(UpstreamAddress(host: "127.0.0.1", port: 8501).authority == "127.0.0.1:8501")
        #expect(UpstreamAddress(host: "node-1", port: 80).authority == "node-1:80")
    }

    @Test func probe_ofAServerThatDoesNotReport_isSilent() async throws {
        try await TestServer.run { (server) async throws in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let address = UpstreamAddress(host: "127.0.0.1", port: server.listener.port)
            let outcome = await pools.probeLoad(of: address, path: "/", timeout: .seconds(120))
            #expect(outcome == .silent)
        }
    }

    @Test func probe_withoutAnAnswer_fails() async throws {
        let replies = Mutex<[Reply<HTTPResponse>]>([])
        let responder = TestResponder(http: { _, reply in replies.withLock { $0.append(reply) } })
        try await TestServer.run(responder) { (server) async throws in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let address = UpstreamAddress(host: "127.0.0.1", port: server.listener.port)
            let held = await pools.probeLoad(of: address, path: "/", timeout: .milliseconds(50))
            #expect(held == .failed)
            // Port 1 needs privileges nobody uses here.
            let closed = UpstreamAddress(host: "127.0.0.1", port: 1)
            for path in ["/", "no path"] {
                let outcome = await pools.probeLoad(of: closed, path: path, timeout: .seconds(120))
                #expect(outcome == .failed)
            }
            replies.withLock { $0 = [] }
        }
    }
}

/// Sends every request to one upstream, and keeps what is told of its load.
private final class LoadPolicy: ForwardingPolicy {
    private let upstream: UpstreamAddress
    private let seen = Mutex<[LoadReading]>([])

    var readings: [LoadReading] { seen.withLock { $0 } }

    init(_ upstream: UpstreamAddress) {
        self.upstream = upstream
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        ForwardingPlan(isIdempotent: true, holdsResponse: true)
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        upstream
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? { nil }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didReport(
        _ reading: LoadReading, from upstream: UpstreamAddress, _ plan: ForwardingPlan
    ) { seen.withLock { $0.append(reading) } }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {}

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {}
}
