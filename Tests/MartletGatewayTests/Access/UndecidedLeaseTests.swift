import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Leases of requests that wait for their body")
struct UndecidedLeaseTests {
    /// A gateway with a key for one request at once, and a route that goes by the body.
    private func policy() async throws -> GatewayPolicy {
        try await .keyed(quotas: "{concurrent: 1}", route: ", match: {models: [m]}")
    }

    private func plan(_ policy: GatewayPolicy) -> ForwardingPlan {
        policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: "/v1/chat/completions", authority: "g",
                fields: ["authorization": "Bearer secret"],
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
    }

    private func finish(_ policy: GatewayPolicy, _ plan: ForwardingPlan, status: Int) {
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: "/v1/chat/completions", httpStatus: status,
                grpcStatus: nil, tried: [], requestBytes: 1, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil), plan)
    }

    private func decide(
        _ policy: GatewayPolicy, _ plan: ForwardingPlan, _ body: String?
    ) async -> ForwardingDecision {
        await withCheckedContinuation { continuation in
            policy.decide(plan, body: body.map { Array($0.utf8) }) {
                continuation.resume(returning: $0)
            }
        }
    }

    /// Whether exactly one more request is let in, which then ends.
    private func hasRoomForOne(_ policy: GatewayPolicy) -> Bool {
        let first = plan(policy)
        let isIn = first.refusal == nil
        let isNextOut = plan(policy).refusal?.error.code == .resourceExhausted
        finish(policy, first, status: 0)
        return isIn && isNextOut
    }

    /// The client hangs up; chunks that are none; a body too long, too late, of a kind unknown.
    @Test(arguments: [0, 400, 408, 413, 415, 500, 504])
    func lease_whenRequestEndsBeforeItsBody_isGivenBack(status: Int) async throws {
        let policy = try await policy()
        for _ in 0..<3 {
            let plan = plan(policy)
            #expect(plan.refusal == nil)
            #expect(plan.state is UndecidedRequest)
            finish(policy, plan, status: status)
        }
        #expect(hasRoomForOne(policy))
    }

    @Test(arguments: [nil, "{", #"{"model":"other"}"#, "{}"])
    func lease_whenBodyIsRefused_isGivenBackOnce(body: String?) async throws {
        let policy = try await policy()
        for _ in 0..<3 {
            let plan = plan(policy)
            #expect(plan.refusal == nil)
            guard case .refuse = await decide(policy, plan, body) else {
                Issue.record("The body is not refused")
                return
            }
            // Given back already: the end must not give back that of another request.
            let other = self.plan(policy)
            #expect(other.refusal == nil)
            finish(policy, plan, status: 404)
            #expect(self.plan(policy).refusal?.error.code == .resourceExhausted)
            finish(policy, other, status: 0)
        }
        #expect(hasRoomForOne(policy))
    }

    @Test func lease_whenBodyDecides_isKeptUntilTheEnd() async throws {
        let policy = try await policy()
        for status in [200, 413, 504, 0] {
            let undecided = plan(policy)
            let decided: ForwardingPlan
            switch await decide(policy, undecided, #"{"model":"m"}"#) {
            case .forward(let plan), .awaitBody(let plan): decided = plan
            case .refuse, .answer:
                Issue.record("The body decides nothing")
                return
            }
            // Its end is that of the plan that took its place.
            finish(policy, undecided, status: 500)
            #expect(plan(policy).refusal?.error.code == .resourceExhausted)
            finish(policy, decided, status: status)
        }
        #expect(hasRoomForOne(policy))
    }
}
