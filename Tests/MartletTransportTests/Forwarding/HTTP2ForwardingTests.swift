import MartletCore
import NIOCore
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Forwarding over HTTP/2", .timeLimit(.minutes(10)))
struct HTTP2ForwardingTests {
    @Test(arguments: [0, 1, 100_000, 5_000_000])
    func messages_passBothWaysWhole(count: Int) async throws {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var limits = Limits()
        limits.messageBytes = 10_000_000
        try await TestGateway.run(limits: limits, upstreamLimits: limits) {
            (gateway) async throws in
            let answer = try await gateway.echo(message)
            #expect(answer.status == "0")
            #expect(answer.messages == [message])
            #expect(gateway.policy.ended == [.answered(httpStatus: 200, grpcStatus: .ok)])
        }
    }

    @Test func manyCallsAtOnce_areAnsweredByTheirOwn() async throws {
        try await TestGateway.run { (gateway) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let message = [UInt8](repeating: UInt8(number & 255), count: number)
                        let answer = try await gateway.echo(message)
                        #expect(answer.status == "0")
                        #expect(answer.messages == [message])
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func upstreamsWithFewStreams_areServedByMoreConnections_andByWaiting() async throws {
        var few = Limits()
        few.concurrentStreams = 2
        try await TestGateway.run(upstreamLimits: few) { (gateway) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        let answer = try await gateway.echo([1, 2])
                        #expect(answer.status == "0")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func fields_areThoseOfTheClient_andItsAddress() async throws {
        let seen = Mutex<[(name: String, value: String)]>([])
        let responder = TestResponder(http: { request, reply in
            seen.withLock { $0 = request.headers.fields }
            reply.send(HTTPResponse(status: 207, headers: ["a": "b"], body: request.body))
        })
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        var changes = ForwardingChanges()
        changes.path = "/other"
        changes.request.removed = ["x-secret"]
        changes.request.added = [.init("x-added", "1")]
        changes.response.removed = ["a"]
        changes.response.added = [.init("c", "d")]
        plan.changes = changes
        try await TestGateway.run(responder, plan: plan) { (gateway) async throws in
            for _ in 0..<2 {
                let stream = try await gateway.client.open([
                    (":method", "POST"), (":scheme", "http"), (":path", "/p?q=1"),
                    (":authority", "martlet.test"), ("x-secret", "s"), ("accept", "*/*"),
                ])
                try await stream.send([1, 2, 3], end: true)
                await stream.readToEnd()
                #expect(stream.field(":status") == "207")
                #expect(stream.field("a") == nil)
                #expect(stream.field("c") == "d")
                #expect(stream.body == [1, 2, 3])
                let fields = seen.withLock { $0 }.map { "\($0.name)=\($0.value)" }
                #expect(fields == ["accept=*/*", "x-added=1", "x-forwarded-for=127.0.0.1"])
            }
        }
    }

    @Test func upstreamsThatCannotBeReached_arePassedOver() async throws {
        // Nobody listens there.
        try await TestGateway.run(portsBefore: [1]) { (gateway) async throws in
            let answer = try await gateway.echo([7])
            #expect(answer.messages == [[7]])
            #expect(gateway.policy.ended.first == .failed(.connectFailed))
        }
    }

    @Test func anUpstreamThatWantsTLS_isSentNothingWithoutIt() async throws {
        let asked = Mutex(0)
        let responder = TestResponder(grpc: { call, reply in
            asked.withLock { $0 += 1 }
            reply.send(.message(call.message))
        })
        try await TestGateway.run(responder, isEncrypted: true) { (gateway) async throws in
            #expect(try await gateway.echo([7]).status == "14")
            #expect(gateway.policy.ended == [.failed(.connectFailed)])
            #expect(asked.withLock { $0 } == 0)
        }
    }

    @Test func aRetiredUpstream_isConnectedToAnew() async throws {
        try await TestGateway.run { (gateway) async throws in
            for _ in 0..<3 {
                #expect(try await gateway.echo([7]).messages == [[7]])
                gateway.pools.retire(gateway.policy.upstreams[0])
            }
        }
    }

    @Test func hostsThatContradictEachOther_areRefused() async throws {
        try await TestGateway.run { (gateway) async throws in
            let stream = try await gateway.client.call(
                "/a.B/Call", [("host", "elsewhere")], end: true)
            await stream.readToEnd()
            #expect(stream.field("grpc-status") == "3")
            #expect(gateway.policy.ended.isEmpty)
        }
    }

    @Test func aClientThatGoes_cancelsItsAttempt() async throws {
        let held = Mutex<[Reply<GRPCResponse>]>([])
        let (began, continuation) = AsyncStream.makeStream(of: Void.self)
        let responder = TestResponder(grpc: { _, reply in
            held.withLock { $0.append(reply) }
            continuation.yield()
        })
        try await TestGateway.run(responder) { (gateway) async throws in
            let stream = try await gateway.client.call("/a.B/Call")
            try await stream.send(message: [1], end: true)
            for await _ in began { break }
            try await stream.reset()
            // What comes behind the reset is handled behind it.
            let other = try await gateway.client.call(
                "/a.B/Call", [("host", "elsewhere")], end: true)
            await other.readToEnd()
            #expect(gateway.policy.ended == [.abandoned])
            held.withLock { $0 = [] }
        }
    }

    @Test func bodiesOverTheLimitOfTheirRoute_areRefused() async throws {
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: false)
        plan.bodyBytesMax = 10
        try await TestGateway.run(plan: plan) { (gateway) async throws in
            let answer = try await gateway.echo([UInt8](repeating: 1, count: 20))
            #expect(answer.status == "8")
            #expect(try await gateway.echo([1]).messages == [[1]])
        }
    }
}
