import MartletCore
import Synchronization

@testable import MartletTransport

/// Sends every request to the same upstreams, in order.
final class FixedPolicy: ForwardingPolicy {
    let upstreams: [UpstreamAddress]
    let plan: ForwardingPlan
    private let results = Mutex<[AttemptResult]>([])
    private let told = Mutex<[ForwardedOutcome]>([])

    var ended: [AttemptResult] { results.withLock { $0 } }

    var outcomes: [ForwardedOutcome] { told.withLock { $0 } }

    init(_ ports: [Int], plan: ForwardingPlan, isEncrypted: Bool) {
        upstreams = ports.map {
            UpstreamAddress(host: "127.0.0.1", port: $0).inGroup("", isEncrypted: isEncrypted)
        }
        self.plan = plan
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan { plan }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        completion(.forward(plan))
    }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        guard let first = upstreams.first else {
            throw ForwardingRefusal(ServingError(.unavailable, "No upstream"))
        }
        return first
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        upstreams.dropFirst(failed.tried.count).first
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        results.withLock { $0.append(attempt.result) }
    }

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        told.withLock { $0.append(outcome) }
    }
}

/// A gateway before a server, and a client of the gateway.
struct TestGateway: Sendable {
    /// Its door, for clients of other kinds.
    let front: TestServer
    let client: HTTP2Client
    let policy: FixedPolicy
    let pools: UpstreamPools

    /// Runs `body` beside both; `ports` are those of upstreams to be tried before the server.
    static func run(
        _ responder: TestResponder = TestResponder(), plan: ForwardingPlan? = nil,
        limits: Limits = .patient, upstreamLimits: Limits = .patient, portsBefore ports: [Int] = [],
        isEncrypted: Bool = false, upstreamOptions: ListenerOptions = ListenerOptions(),
        _ body: @Sendable (TestGateway) async throws -> Void
    ) async throws {
        let plan = plan ?? ForwardingPlan(isIdempotent: true, holdsResponse: false)
        try await TestServer.run(responder, options: upstreamOptions, limits: upstreamLimits) {
            server in
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let policy = FixedPolicy(
                ports + [server.listener.port], plan: plan, isEncrypted: isEncrypted)
            let listener = try await Listener.bind(
                to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: policy, through: pools,
                limits: limits, eventLoops: server.eventLoops, logger: TestServer.silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await listener.run() }
                let front = TestServer(
                    listener: listener, eventLoops: server.eventLoops, drain: server.drain)
                let client = try await HTTP2Client.connect(to: front)
                let result: Result<Void, any Error>
                do {
                    let gateway = TestGateway(
                        front: front, client: client, policy: policy, pools: pools)
                    result = .success(try await body(gateway))
                } catch {
                    result = .failure(error)
                }
                await client.close()
                server.drain()
                try result.get()
                try await group.waitForAll()
            }
        }
    }

    /// Calls, and gives back the status and the messages of the answer.
    func echo(_ message: [UInt8]) async throws -> (status: String?, messages: [[UInt8]]) {
        let stream = try await client.call("/a.B/Call")
        try await stream.send(message: message, end: true)
        await stream.readToEnd()
        return (stream.field("grpc-status"), stream.messages)
    }
}
