import Logging
import MartletCore
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletGateway
@testable import MartletTransport

/// A gateway's decisions on predictions over REST, without a gateway: tests say what nodes answer.
struct CachedGateway {
    let policy: GatewayPolicy

    /// Decides by a policy's text, and shares by what is given.
    init(_ text: String, shared: SharedAnswers? = nil) throws {
        let traffic = try TrafficPolicy.parse(text, file: "g.yaml").policy
        policy = GatewayPolicy(
            rules: GatewayRules(traffic, shared: shared, now: .zero),
            journal: GatewayJournal(metrics: MetricsRegistry(), accessLog: .disabled),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// What becomes of a request.
    final class Decision: Sendable {
        private let taken = Mutex<ForwardingDecision?>(nil)

        func take(_ decision: ForwardingDecision) { taken.withLock { $0 = decision } }

        /// The plan that it is forwarded by.
        var plan: ForwardingPlan? {
            if case .forward(let plan)? = taken.withLock({ $0 }) { plan } else { nil }
        }

        /// What it is answered by.
        var answer: HTTPResponse? {
            if case .answer(let answer)? = taken.withLock({ $0 }) { answer } else { nil }
        }

        /// The answer's text, if it came out of the cache.
        var text: String? { answer.map { String(decoding: $0.body, as: UTF8.self) } }

        /// The pool that is asked; nil for an answer out of the cache.
        var pool: String? { (plan?.state as? RequestState)?.pool.settings.name }
    }

    /// Asks for a prediction.
    func ask(
        _ fields: [(String, String)] = [], body: String = #"{"instances": [1]}"#,
        path: String = "/v1/models/m:predict"
    ) -> Decision {
        let body = Array(body.utf8)
        let all = [("content-length", "\(body.count)")] + fields
        let plan = policy.plan(
            for: ForwardedRequest(
                api: .rest, method: "POST", path: path, authority: "g",
                fields: HeaderFields(all.map { (name: $0.0, value: $0.1) }),
                context: RequestContext(remoteAddress: "1.2.3.4:5")))
        let decision = Decision()
        policy.decide(plan, body: body, completion: decision.take)
        return decision
    }

    /// The node that was asked answers so, or the client goes before that.
    func answer(_ decision: Decision, _ text: String?) throws {
        let plan = try #require(decision.plan)
        let answer = text.map {
            HTTPResponse(status: 200, contentType: "application/json", body: Array($0.utf8))
        }
        policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: "/v1/models/m:predict",
                httpStatus: answer?.status ?? 0,
                grpcStatus: nil, tried: [], requestBytes: 1, responseBytes: 1,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: answer), plan)
    }
}
