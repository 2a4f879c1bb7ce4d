import MartletCore
import NIOCore
import NIOPosix
import Testing

@testable import MartletTransport

@Suite("Upstreams that say nothing", .timeLimit(.minutes(10)))
struct UpstreamPingsTests {
    private func time(_ seconds: Int64) -> NIODeadline {
        NIODeadline.uptimeNanoseconds(1) + TimeAmount.seconds(seconds)
    }

    private func begun(_ change: (inout UpstreamOptions) -> Void = { _ in }) -> UpstreamPings {
        var options = UpstreamOptions()
        options.pingInterval = .seconds(10)
        options.pingTimeout = .seconds(20)
        change(&options)
        return UpstreamPings(options, now: time(0))
    }

    @Test func upstream_thatAnswersNoPing_isGivenUp() {
        var pings = begun()
        pings.begin(now: time(5))
        #expect(pings.next == time(15))
        #expect(pings.check(now: time(14)) == .none)
        #expect(pings.check(now: time(15)) == .ping)
        #expect(pings.isAwaited)
        #expect(pings.next == time(35))
        #expect(pings.check(now: time(34)) == .none)
        // Another request tells nothing of it.
        pings.begin(now: time(34))
        #expect(pings.check(now: time(35)) == .close)
    }

    @Test func upstream_thatAnswersPingsAlone_isAskedSeldomer_asServersOfGRPCWantIt() {
        var pings = begun()
        var asked: [Int64] = []
        for second in Int64(0)...900 where pings.check(now: time(second)) == .ping {
            asked.append(second)
            pings.didRead(now: time(second))
        }
        #expect(asked == [10, 50, 210, 511, 812])
        pings.didRead(now: time(900))
        pings.didAnswer()
        #expect(pings.next == time(910))
    }

    @Test(arguments: [1, 2, 30, 400] as [Int64])
    func pings_thatServersCount_areNeverThree(interval: Int64) {
        var pings = begun { $0.pingInterval = .seconds(interval) }
        var asked: [Int64] = []
        for second in Int64(0)...10_000 where pings.check(now: time(second)) == .ping {
            asked.append(second)
            pings.didRead(now: time(second))
        }
        let tooSoon = zip(asked, asked.dropFirst()).filter { $1 - $0 < 300 }
        #expect(asked.count > 10)
        #expect(tooSoon.count <= 2)
    }

    @Test func upstream_thatSpeaks_isNotAsked() {
        var pings = begun()
        for second in Int64(0)...100 {
            pings.didRead(now: time(second))
            #expect(pings.check(now: time(second + 1)) == .none)
        }
    }

    @Test func withoutAnInterval_nothingIsAsked() {
        var pings = begun { $0.pingInterval = nil }
        #expect(pings.next == nil)
        #expect(pings.check(now: time(10_000)) == .none)
    }

    /// One that stops under way, and one whose kernel takes connections for it.
    @Test(arguments: [
        (true, ForwardingFailure.connectionClosed), (false, ForwardingFailure.connectFailed),
    ])
    func requestsAtAnUpstream_thatHasStopped_areAskedElsewhere(
        greets: Bool, failure: ForwardingFailure
    ) async throws {
        let stopped = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard greets else { return }
                    try channel.pipeline.syncOperations.addHandler(SettingsAlone())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        defer { stopped.close(promise: nil) }
        let port = try #require(stopped.localAddress?.port)
        try await TestGateway.run(portsBefore: [port]) { (gateway) async throws in
            var options = UpstreamOptions()
            options.pingInterval = .milliseconds(50)
            options.pingTimeout = .milliseconds(50)
            gateway.pools.setOptions(options, for: gateway.policy.upstreams[0])
            let answer = try await gateway.echo([7])
            #expect(answer.status == "0" && answer.messages == [[7]])
            #expect(gateway.policy.ended.first == .failed(failure))
            #expect(gateway.policy.ended.count == 2)
        }
    }
}

/// Greets as HTTP/2 begins, and says nothing from then on.
private final class SettingsAlone: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        let settings = ByteBuffer(bytes: [0, 0, 0, 4, 0, 0, 0, 0, 0])
        context.writeAndFlush(wrapOutboundOut(settings), promise: nil)
        context.fireChannelActive()
    }
}
