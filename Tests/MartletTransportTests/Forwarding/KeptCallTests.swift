import MartletCore
import NIOHPACK
import Synchronization
import Testing

@testable import MartletTransport

/// What a policy has decided on by a whole body.
private final class Decided: Sendable {}

/// Decides by the first message, then by the whole body; keeps the answer that it is told of, and
/// gives it to all who ask later.
private final class KeepingPolicy: ForwardingPolicy {
    struct Seen {
        var kept: HTTPResponse?
        var outcomes: [ForwardedOutcome] = []
        /// What was decided by.
        var bodies: [[UInt8]?] = []
        /// Plans that requests ended by which were not the last decided.
        var strayPlans = 0
    }

    private let upstream: UpstreamAddress
    private let keptBytes: Int
    private let newBody: [UInt8]?
    private let state = Mutex(Seen())

    var seen: Seen { state.withLock { $0 } }

    init(port: Int, keptBytes: Int, newBody: [UInt8]?) {
        upstream = UpstreamAddress(host: "127.0.0.1", port: port)
        self.keptBytes = keptBytes
        self.newBody = newBody
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.awaitedBodyBytes = .max
        plan.awaitsFirstMessage = true
        return plan
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        let kept = state.withLock { seen in
            seen.bodies.append(body)
            return seen.kept
        }
        if plan.awaitsFirstMessage {
            var second = plan
            second.awaitsFirstMessage = false
            second.keptAnswerBytes = keptBytes
            second.newBody = newBody
            second.state = Decided()
            completion(.awaitBody(second))
        } else if let kept {
            completion(.answer(kept))
        } else {
            completion(.forward(plan))
        }
    }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        upstream
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? { nil }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {}

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        state.withLock { seen in
            seen.outcomes.append(outcome)
            if !(plan.state is Decided) { seen.strayPlans += 1 }
            seen.kept = seen.kept ?? outcome.answer
        }
    }
}

@Suite("Answers to gRPC calls that are kept and given again", .timeLimit(.minutes(10)))
struct KeptCallTests {
    /// Runs `body` with a client of a gateway before a server.
    private func run(
        _ responder: TestResponder = TestResponder(), keptBytes: Int = 1000,
        newBody: [UInt8]? = nil,
        _ body: @Sendable (HTTP2Client, KeepingPolicy) async throws -> Void
    ) async throws {
        try await TestServer.run(responder) { server in
            let policy = KeepingPolicy(
                port: server.listener.port, keptBytes: keptBytes, newBody: newBody)
            let pools = try await UpstreamPools(
                eventLoops: server.eventLoops, limits: .patient)
            let listener = try await Listener.bind(
                to: .tcp(host: "127.0.0.1", port: 0), forwardingBy: policy, through: pools,
                limits: .patient, eventLoops: server.eventLoops, logger: TestServer.silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await listener.run() }
                let client = try await HTTP2Client.connect(
                    to: TestServer(
                        listener: listener, eventLoops: server.eventLoops, drain: server.drain))
                let result: Result<Void, any Error>
                do {
                    result = .success(try await body(client, policy))
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

    private func call(_ client: HTTP2Client, _ message: [UInt8]) async throws -> HTTP2TestStream {
        let stream = try await client.call("/a.B/Call")
        try await stream.send(message: message, end: true)
        await stream.readToEnd()
        return stream
    }

    private func frame(_ message: [UInt8]) -> [UInt8] {
        [0, 0, 0, 0, UInt8(message.count)] + message
    }

    private func lines(_ stream: HTTP2TestStream) -> [[String]] {
        stream.headers.map { block in block.map { "\($0.name)=\($0.value)" } }
    }

    @Test(arguments: [0, 1, 900])
    func callIsAnsweredAgain_asItWas(count: Int) async throws {
        let message = [UInt8](repeating: 7, count: count)
        let asked = Mutex(0)
        let responder = TestResponder(grpc: { call, reply in
            asked.withLock { $0 += 1 }
            reply.send(.message(call.message))
        })
        try await run(responder) { (client, policy) async throws in
            let first = try await self.call(client, message)
            #expect(first.messages == [message])
            for _ in 0..<3 {
                let again = try await self.call(client, message)
                #expect(again.body == first.body)
                #expect(self.lines(again) == self.lines(first))
                #expect(self.lines(again).last == ["grpc-status=0"])
            }
            let seen = policy.seen
            #expect(asked.withLock { $0 } == 1)
            #expect(seen.outcomes.map(\.grpcStatus) == [.ok, .ok, .ok, .ok])
            #expect(Set(seen.outcomes.map(\.responseBytes)) == [message.count + 5])
            #expect(seen.outcomes.map(\.tried.count) == [1, 0, 0, 0])
            #expect(seen.strayPlans == 0)
        }
    }

    @Test func keptAnswer_hasItsTrailers() async throws {
        try await run { (client, policy) async throws in
            _ = try await self.call(client, [1])
            let kept = try #require(policy.seen.kept)
            #expect(kept.status == 200 && kept.body == self.frame([1]))
            #expect(kept.headers.first("content-type") == "application/grpc")
            #expect(kept.trailers?.fields.map(\.name) == ["grpc-status"])
            #expect(kept.grpcStatus == .ok)
        }
    }

    @Test func failure_hasItsStatusInTheHead() async throws {
        let responder = TestResponder(grpc: { _, reply in
            reply.send(.failure(.invalidArgument, "so wrong"))
        })
        try await run(responder) { (client, policy) async throws in
            let first = try await self.call(client, [1])
            let again = try await self.call(client, [1])
            #expect(again.field("grpc-status") == "3")
            #expect(self.lines(again) == self.lines(first))
            let seen = policy.seen
            #expect(seen.kept?.trailers == nil)
            #expect(seen.outcomes.map(\.grpcStatus) == [.invalidArgument, .invalidArgument])
        }
    }

    @Test func answerAboveTheLimit_isNotKept() async throws {
        try await run(keptBytes: 20) { (client, policy) async throws in
            for _ in 0..<2 {
                let answer = try await self.call(client, [UInt8](repeating: 1, count: 16))
                #expect(answer.messages.count == 1)
            }
            #expect(policy.seen.outcomes.allSatisfy { $0.answer == nil })
            #expect(policy.seen.outcomes.map(\.tried.count) == [1, 1])
            _ = try await self.call(client, [UInt8](repeating: 1, count: 15))
            #expect(policy.seen.kept != nil)
        }
    }

    /// The first message may be there before the rest.
    @Test func wholeBody_isAwaitedBehindTheFirstMessage() async throws {
        try await run { (client, policy) async throws in
            let stream = try await client.call("/a.B/Call")
            try await stream.send(message: [1])
            try await stream.send(message: [2, 3], end: true)
            await stream.readToEnd()
            // Two messages are more than the server takes.
            #expect(stream.field("grpc-status") == "12")
            let bodies = policy.seen.bodies
            #expect(bodies.count == 2)
            #expect(bodies.last == self.frame([1]) + self.frame([2, 3]))
        }
    }

    @Test func newBody_isDecidedBy_andForwarded() async throws {
        try await run(newBody: frame([9, 9])) { (client, policy) async throws in
            let answer = try await self.call(client, [1])
            #expect(answer.messages == [[9, 9]])
            #expect(policy.seen.bodies == [self.frame([1]), self.frame([9, 9])])
        }
    }
}
