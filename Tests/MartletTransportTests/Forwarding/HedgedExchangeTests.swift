import MartletCore
import NIOCore
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Attempts beside each other")
struct HedgedExchangeTests {
    private let connector = OpeningConnector()
    private let client = NotingClient()

    /// A request that is sent to two upstreams by now.
    private func hedged(_ policy: HedgingPolicy) throws -> Exchange<TestWire> {
        let exchange = Exchange(client: client, connector: connector, policy: policy)
        exchange.receiveHead(isEnd: true) { _ in "head" }
        exchange.start()
        exchange.attemptTimedOut()
        try #require(connector.upstreams.count == 2)
        return exchange
    }

    private func answer(_ status: String, _ body: String) -> TestResponsePart {
        .whole(TestStatus(status), ByteBuffer(string: body))
    }

    @Test func earlierOneThatAnswersFirst_endsTheLaterOne() throws {
        let policy = HedgingPolicy(upstreams: 2)
        let exchange = try hedged(policy)
        exchange.receive(answer("200", "a"), attempt: 1)
        #expect(client.text == "<200>a.")
        #expect(connector.upstreams[1].isCancelled)
        #expect(policy.ended[2] == .abandoned)
        #expect(policy.ended[1] == .answered(httpStatus: 200, grpcStatus: nil))
    }

    /// With all upstreams tried there would be nobody left to ask.
    @Test func earlierOneThatHasNoRoom_leavesTheAnswerToTheLaterOne() throws {
        let policy = HedgingPolicy(upstreams: 2)
        let exchange = try hedged(policy)
        exchange.receive(answer("503", "full"), attempt: 1)
        #expect(client.text.isEmpty && !connector.upstreams[1].isCancelled)
        exchange.receive(answer("200", "b"), attempt: 2)
        #expect(client.text == "<200>b.")
        #expect(policy.ended[1] == .answered(httpStatus: 503, grpcStatus: nil))
        #expect(policy.ended[2] == .answered(httpStatus: 200, grpcStatus: nil))
    }

    @Test func laterOne_goesBeforeAFailureThatIsNotYetWhole() throws {
        let policy = HedgingPolicy(upstreams: 2)
        let exchange = try hedged(policy)
        exchange.receive(.head(TestStatus("503"), isEnd: false), attempt: 1)
        exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 2)
        #expect(connector.upstreams[0].isCancelled)
        exchange.receive(.body(ByteBuffer(string: "b")), attempt: 2)
        exchange.receive(.end(nil), attempt: 2)
        #expect(client.text == "<200>b.")
        #expect(policy.ended.count == 2)
    }

    /// Else two that hang would keep a third from being asked.
    @Test func eachOfBoth_hasItsTime() throws {
        let policy = HedgingPolicy(upstreams: 3, attemptTimeout: .zero)
        let exchange = try hedged(policy)
        for _ in 0..<3 { exchange.attemptTimedOut() }
        #expect(connector.upstreams.map(\.isCancelled) == [true, true, false])
        #expect(policy.ended == [1: .failed(.attemptTimedOut), 2: .failed(.attemptTimedOut)])
        exchange.receive(answer("200", "c"), attempt: 3)
        #expect(client.text == "<200>c.")
    }

    @Test func failureOfBoth_isTheAnswer() throws {
        let policy = HedgingPolicy(upstreams: 2)
        let exchange = try hedged(policy)
        exchange.receive(answer("503", "a"), attempt: 1)
        exchange.receive(answer("503", "b"), attempt: 2)
        #expect(client.text == "<503>b.")
        #expect(policy.ended.count == 2)
    }
}

/// Has a second upstream asked as soon as it is asked itself.
private final class HedgingPolicy: ForwardingPolicy {
    private let upstreams: Int
    private let results = Mutex<[Int: AttemptResult]>([:])

    /// By upstream, how the attempts ended that are over.
    var ended: [Int: AttemptResult] { results.withLock { $0 } }

    private let attemptTimeout: Duration?

    /// - Parameters:
    ///   - upstreams: how many there are; they have the ports 1, 2...
    ///   - attemptTimeout: how long an attempt may take while there are others.
    init(upstreams: Int, attemptTimeout: Duration? = nil) {
        self.upstreams = upstreams
        self.attemptTimeout = attemptTimeout
    }

    private func upstream(_ port: Int) -> UpstreamAddress {
        UpstreamAddress(host: "127.0.0.1", port: port)
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        plan.hedgingDelay = .zero
        plan.attemptTimeout = attemptTimeout
        return plan
    }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        upstream(1)
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        failed.tried.count < upstreams ? upstream(failed.tried.count + 1) : nil
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision {
        waiting.tried.count == 1 ? .ask(upstream(2)) : .leave
    }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        results.withLock { $0[attempt.upstream.port] = attempt.result }
    }

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {}
}
