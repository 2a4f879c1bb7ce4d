import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Upstreams that speak HTTP/1.1 alone", .timeLimit(.minutes(10)))
struct HTTP1UpstreamTests {
    private var alone: ListenerOptions {
        var options = ListenerOptions()
        options.protocols = .http1
        return options
    }

    @Test(arguments: [0, 5, 1_000_000])
    func requestThatCameByHTTP2_goesOnByHTTP1(count: Int) async throws {
        let seen = Mutex<[String]>([])
        let responder = TestResponder(http: { request, reply in
            seen.withLock { $0.append("\(request.method) \(request.path)") }
            reply.send(HTTPResponse(status: 207, headers: ["a": "b"], body: request.body))
        })
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try await TestGateway.run(responder, upstreamOptions: alone) { (gateway) async throws in
            for _ in 0..<3 {
                let stream = try await gateway.client.open([
                    (":method", "POST"), (":scheme", "http"), (":path", "/p"),
                    (":authority", "martlet.test"),
                ])
                try await stream.send(body, end: true)
                await stream.readToEnd()
                #expect(stream.field(":status") == "207")
                #expect(stream.field("a") == "b")
                #expect(firstDifference(stream.body, from: body) == nil)
            }
            #expect(seen.withLock { $0 } == Array(repeating: "POST /p", count: 3))
            let answered = AttemptResult.answered(httpStatus: 207, grpcStatus: nil)
            #expect(gateway.policy.ended == Array(repeating: answered, count: 3))
        }
    }

    @Test func answerBeforeTheBodysEnd_endsTheStream() async throws {
        var limits = Limits()
        limits.messageBytes = 1000
        try await TestGateway.run(upstreamLimits: limits, upstreamOptions: alone) {
            (gateway) async throws in
            let stream = try await gateway.client.open([
                (":method", "POST"), (":scheme", "http"), (":path", "/p"),
                (":authority", "martlet.test"), ("content-length", "1000000"),
            ])
            await stream.readToEnd()
            #expect(stream.field(":status") == "413")
            #expect(stream.hasEnded)
        }
    }

    @Test func requestsAtOnce_areAnsweredByTheirOwn() async throws {
        try await TestGateway.run(upstreamOptions: alone) { (gateway) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let stream = try await gateway.client.open(HeaderSamples.post)
                        try await stream.send([UInt8(number)], end: true)
                        await stream.readToEnd()
                        #expect(stream.body == [UInt8(number)])
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func callsByGRPC_areToldWhy_whichSaysNothingOfTheUpstream() async throws {
        try await TestGateway.run(upstreamOptions: alone) { (gateway) async throws in
            let stream = try await gateway.client.call("/a.B/Call")
            try await stream.send(message: [1], end: true)
            await stream.readToEnd()
            #expect(stream.field("grpc-status") == "14")
            #expect(stream.field("grpc-message")?.contains("does not speak HTTP/2") == true)
            #expect(gateway.policy.ended == [.failed(.noHTTP2)])
        }
    }
}
