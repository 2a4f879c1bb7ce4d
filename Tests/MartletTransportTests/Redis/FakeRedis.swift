import MartletTestKit
import NIOCore
import NIOPosix
import Synchronization

@testable import MartletTransport

/// A server that speaks Redis's protocol as a test wants it, right or wrong.
final class FakeRedis: Sendable {
    /// What it does about a command.
    enum Answer: Sendable {
        /// Sends these bytes, as they are.
        case send(String)
        /// Stays silent about this command; a server that skips a reply is out of step.
        case nothing
        /// Stays silent on this connection from now on.
        case hang
        /// Closes the connection.
        case close
    }

    typealias Answering = @Sendable (_ words: [String]) -> Answer

    private let channel: any Channel
    private let log: Log

    /// Where it listens.
    let address: RedisAddress

    private init(channel: any Channel, log: Log) {
        self.channel = channel
        self.log = log
        address = RedisAddress(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    /// Listens; `PING` is answered without the test's help.
    static func start(
        on eventLoops: EventLoops, _ answering: @escaping Answering
    ) async throws -> FakeRedis {
        let log = Log()
        let channel = try await ServerBootstrap(group: eventLoops.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(answering: answering, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeRedis(channel: channel, log: log)
    }

    /// The commands that came, without `PING`.
    var commands: [[String]] { log.commands.withLock { $0 } }

    /// How many pieces the commands came in.
    var reads: Int { log.reads.withLock { $0 } }

    private final class Log: Sendable {
        let commands = Mutex<[[String]]>([])
        let reads = Mutex(0)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answering: Answering
        private let log: Log
        private var reader = RedisReplyReader()
        private var isHanging = false

        init(answering: @escaping Answering, log: Log) {
            self.answering = answering
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            reader.receive(unwrapInboundIn(data))
            log.reads.withLock { $0 += 1 }
            // Commands are arrays of strings, as replies may be.
            while !isHanging, let command = try? reader.next() {
                let words = (command.elements ?? []).map { $0.text ?? "" }
                guard words != ["PING"] else {
                    send("+PONG\r\n", context)
                    continue
                }
                log.commands.withLock { $0.append(words) }
                switch answering(words) {
                case .send(let bytes): send(bytes, context)
                case .nothing: break
                case .hang: isHanging = true
                case .close: context.close(promise: nil)
                }
            }
        }

        private func send(_ bytes: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
        }
    }
}

/// A string as a reply.
func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

/// A client, the event loop that it shares with its servers, and what it logs.
struct RedisBench: Sendable {
    let eventLoops: EventLoops
    let log = LineLog()

    /// Ends the event loops, and all that works on them, after `body`.
    static func run(
        loops: Int = 1, _ body: (RedisBench) async throws -> Void
    ) async throws {
        let bench = RedisBench(eventLoops: EventLoops(count: loops))
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(bench))
        } catch {
            result = .failure(error)
        }
        await bench.eventLoops.shutDown()
        try result.get()
    }

    /// A client whose limits are wide enough for a slow machine, unless a test narrows them.
    func client(
        _ addresses: [RedisAddress], isCluster: Bool = false,
        _ change: (inout RedisConfiguration) -> Void = { _ in }
    ) throws -> RedisClient {
        var configuration = RedisConfiguration(addresses: addresses, isCluster: isCluster)
        configuration.commandTimeout = .seconds(10)
        configuration.connectTimeout = .seconds(10)
        change(&configuration)
        return try RedisClient(configuration, eventLoops: eventLoops, logger: log.logger)
    }
}

extension RedisClient {
    /// What comes of a command.
    func result(_ command: RedisCommand) async -> Result<RedisReply, RedisFailure> {
        await withCheckedContinuation { continuation in
            send(command) { continuation.resume(returning: $0) }
        }
    }

    /// The code of the failure that a command ends with; nil for a reply.
    func failure(_ command: RedisCommand) async -> RedisFailure.Code? {
        guard case .failure(let failure) = await result(command) else { return nil }
        return failure.code
    }

    /// What comes of a command about a key.
    func result(_ name: String, _ key: String, _ rest: String...) async -> Result<
        RedisReply, RedisFailure
    > {
        await result(RedisCommand(([name, key] + rest).map { Array($0.utf8) }))
    }
}
