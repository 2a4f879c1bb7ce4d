import MartletCore
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Ends of attempts as balancers judge them")
struct BalancedAttemptTests {
    private func judged(_ result: AttemptResult) -> BalancedAttempt {
        BalancedAttempt(
            EndedAttempt(
                upstream: UpstreamAddress(host: "a", port: 1), result: result,
                duration: .milliseconds(1)))
    }

    @Test func answer_countsByItsTime() {
        let good = BalancedAttempt(latency: .milliseconds(1), hasFailed: false)
        #expect(judged(.answered(httpStatus: 200, grpcStatus: nil)) == good)
        #expect(judged(.answered(httpStatus: 200, grpcStatus: .ok)) == good)
    }

    private static let failures: [AttemptResult] = [
        .answered(httpStatus: 500, grpcStatus: nil), .answered(httpStatus: 429, grpcStatus: nil),
        .answered(httpStatus: 200, grpcStatus: .resourceExhausted), .failed(.connectFailed),
        .failed(.full),
    ]

    /// One that has no room for a connection answers nothing, and that in no time.
    @Test(arguments: failures)
    func failureOrFullness_isAFailure(result: AttemptResult) {
        #expect(judged(result).hasFailed && !judged(result).wasAbandoned)
    }

    private static let declined: [AttemptResult] = [
        .answered(httpStatus: 404, grpcStatus: nil), .answered(httpStatus: 400, grpcStatus: nil),
        .answered(httpStatus: 200, grpcStatus: .notFound), .failed(.unprocessed),
        .failed(.noHTTP2),
    ]

    @Test(arguments: declined)
    func whatIsDeclined_isNeitherFailureNorAnswer(result: AttemptResult) {
        #expect(judged(result).wasDeclined)
        #expect(!judged(result).hasFailed && !judged(result).wasAbandoned)
        #expect(!judged(.abandoned).wasDeclined && judged(.abandoned).wasAbandoned)
    }

    /// One that lacks a model says so in no time, and must not get everybody's requests for that.
    @Test func endpointThatDeclinesAtOnce_isNotTakenForAFastOne() {
        var balancer = BalancingAlgorithm.peakEWMA.makeBalancer(seed: 1)
        let (fine, lacking) = (EndpointID("a:1"), EndpointID("b:1"))
        for id in [fine, lacking] {
            balancer.add(id, now: .zero)
            balancer.setHealthy(id, true, now: .zero)
        }
        var (picked, now) = ([EndpointID: Int](), Duration.zero)
        for round in 0..<2000 {
            guard let id = balancer.pick(now: now) else { continue }
            balancer.didBegin(id, now: now)
            now += .milliseconds(20)
            // At first both answer as fast.
            let isDeclined = id == lacking && round >= 200
            let attempt =
                isDeclined
                ? BalancedAttempt(latency: .milliseconds(1), hasFailed: false, wasDeclined: true)
                : BalancedAttempt(latency: .milliseconds(20), hasFailed: false)
            balancer.didEnd(id, attempt, now: now)
            if round >= 200 { picked[id, default: 0] += 1 }
        }
        // Two thirds would be more than its share by chance.
        #expect(picked[lacking, default: 0] < 1200)
        #expect(picked[fine, default: 0] > 600)
    }
}
