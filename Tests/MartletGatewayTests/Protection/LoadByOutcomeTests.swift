import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("What answers tell of load")
struct LoadByOutcomeTests {
    private func outcome(
        _ httpStatus: Int, _ grpcStatus: StatusCode? = nil, isTried: Bool = true,
        deadline: Deadline = .never
    ) -> ForwardedOutcome {
        ForwardedOutcome(
            api: grpcStatus == nil ? .rest : .grpc, method: "POST", path: "/",
            httpStatus: httpStatus, grpcStatus: grpcStatus,
            tried: isTried ? [UpstreamAddress(host: "a", port: 1)] : [], requestBytes: 1,
            responseBytes: 1,
            context: RequestContext(remoteAddress: "1.2.3.4:5", deadline: deadline), answer: nil)
    }

    @Test func answersAndWhatIsLate_tell() {
        #expect(outcome(200).tellsOfLoad)
        #expect(outcome(200, .ok).tellsOfLoad)
        #expect(outcome(504).tellsOfLoad)
        #expect(outcome(504, .deadlineExceeded).tellsOfLoad)
    }

    private static let failures: [(Int, StatusCode?)] = [
        (400, nil), (404, nil), (429, nil), (503, nil), (200, .invalidArgument),
    ]

    /// They may come at once, and would pass for what light use is like.
    @Test(arguments: failures)
    func failures_tellNothing(httpStatus: Int, grpcStatus: StatusCode?) {
        #expect(!outcome(httpStatus, grpcStatus).tellsOfLoad)
    }

    @Test func whatBrokeOff_tellsNothing() {
        var broken = outcome(200)
        broken.isBroken = true
        #expect(!broken.tellsOfLoad)
    }

    @Test func whatNobodyAnsweredOrWaitedFor_tellsNothing() {
        #expect(!outcome(0).tellsOfLoad)
        #expect(!outcome(200, isTried: false).tellsOfLoad)
        let past = Deadline.after(.zero, now: .now - .seconds(1))
        #expect(!outcome(504, deadline: past).tellsOfLoad)
    }

    /// The client began to send it long before.
    @Test func latency_isTheTimeOfTheEndpoints_andNotOfTheUpload() {
        var uploaded = outcome(200)
        let end = ContinuousClock.now + .seconds(60)
        #expect(uploaded.latencyUnderLoad(at: end) == nil)
        uploaded.sent = end - .milliseconds(10)
        #expect(uploaded.latencyUnderLoad(at: end) == .milliseconds(10))
        var failed = outcome(503)
        failed.sent = uploaded.sent
        #expect(failed.latencyUnderLoad(at: end) == nil)
    }
}
