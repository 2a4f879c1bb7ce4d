import MartletCore
import MartletTelemetry
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Answers that are too long to be kept")
struct LongAnswersTests {
    private static let text = """
        endpoints: [a:1]
        routes: [{name: r, cache: true}]
        cache: {entry_bytes_max: 1KiB, ttl_seconds_min: 60, ttl_seconds_max: 60}
        """

    /// A request ends; nil where its answer was too long to be told of.
    private func finish(
        _ gateway: CachedGateway, _ decision: CachedGateway.Decision, bytes: Int, status: Int = 200
    ) throws {
        gateway.policy.didFinish(
            ForwardedOutcome(
                api: .rest, method: "POST", path: "/v1/models/m:predict", httpStatus: status,
                grpcStatus: nil, tried: [], requestBytes: 1, responseBytes: bytes,
                context: RequestContext(remoteAddress: "1.2.3.4:5"), answer: nil),
            try #require(decision.plan))
    }

    /// One after the other, the last of many would wait for all before it.
    @Test func allWhoWait_askForThemselves() throws {
        let gateway = try CachedGateway(Self.text)
        let leader = gateway.ask()
        let waiting = (0..<3).map { _ in gateway.ask() }
        #expect(waiting.allSatisfy { $0.plan == nil && $0.answer == nil })
        try finish(gateway, leader, bytes: 1025)
        #expect(waiting.allSatisfy { $0.plan != nil })
        for waiter in waiting { try finish(gateway, waiter, bytes: 1025) }
        // Nothing is left of them.
        let next = gateway.ask()
        try gateway.answer(next, "short")
        #expect(gateway.ask().text == "short")
    }

    @Test func failures_areStillTriedByOneAfterTheOther() throws {
        let gateway = try CachedGateway(Self.text)
        let leader = gateway.ask()
        let waiting = (0..<2).map { _ in gateway.ask() }
        try finish(gateway, leader, bytes: 20, status: 503)
        #expect(waiting.map { $0.plan != nil } == [true, false])
    }
}
