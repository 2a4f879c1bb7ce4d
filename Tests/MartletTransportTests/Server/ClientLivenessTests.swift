import MartletCore
import NIOCore
import NIOPosix
import Testing

@testable import MartletTransport

@Suite("Clients whose machine is gone")
struct ClientLivenessTests {
    /// What an accepted socket is set to: user timeout, keepalive, idle, interval, count.
    private func options(_ limits: Limits) async throws -> [Int] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let accepted = group.next().makePromise(of: [Int].self)
        let server = try await ClientLiveness(limits)
            .apply(to: ServerBootstrap(group: group))
            .childChannelInitializer { channel in
                let options: [(NIOBSDSocket.OptionLevel, NIOBSDSocket.Option)] = [
                    (.tcp, .tcpUserTimeout), (.socket, .so_keepalive), (.tcp, .tcpKeepIdle),
                    (.tcp, .tcpKeepInterval), (.tcp, .tcpKeepCount),
                ]
                let values = options.map { level, name in
                    channel.getOption(ChannelOptions.Types.SocketOption(level: level, name: name))
                        .map { Int($0) }
                }
                EventLoopFuture.whenAllSucceed(values, on: channel.eventLoop)
                    .cascade(to: accepted)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let client = try await ClientBootstrap(group: group)
            .connect(host: "127.0.0.1", port: port).get()
        let found = try await accepted.futureResult.get()
        try await client.close()
        try await server.close()
        return found
    }

    @Test func acceptedSockets_inheritWhatTheLimitsSay() async throws {
        var limits = Limits()
        #expect(try await options(limits) == [60_000, 1, 120, 30, 3])
        limits.unacknowledgedTimeout = .milliseconds(1500)
        limits.keepalive = .milliseconds(100)
        #expect(try await options(limits) == [1500, 1, 1, 1, 3])
    }

    @Test func zero_leavesItToTheSystem() async throws {
        var limits = Limits()
        limits.unacknowledgedTimeout = .zero
        limits.keepalive = .zero
        let found = try await options(limits)
        #expect(found.prefix(2) == [0, 0])
    }

    @Test func valuesBeyondTheKernels_areCut() {
        var limits = Limits()
        limits.unacknowledgedTimeout = .seconds(100_000_000)
        limits.keepalive = .seconds(100_000_000)
        let liveness = ClientLiveness(limits)
        #expect(liveness.unacknowledgedMilliseconds == Int(Int32.max))
        #expect(liveness.keepaliveSeconds == 32_767)
    }
}
