import MartletCore
import MartletTestKit
import NIOCore
import NIOPosix
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import MartletTransport

@Suite("A client of Redis")
struct RedisClientTests {
    private static let echo: FakeRedis.Answering = { .send(bulk($0.last ?? "")) }
    private let ping = RedisCommand("ECHO", "hello")

    @Test func manyCommandsAtOnce_eachGetItsReply_byOneConnection() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops, Self.echo)
            let client = try bench.client([server.address])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let reply = try await client.send(RedisCommand("ECHO", "\(number)"))
                        #expect(reply.text == "\(number)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.commands.count == 1000)
        }
    }

    @Test func commandsOfOneTurn_areWrittenTogether() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops, Self.echo)
            let client = try bench.client([server.address])
            #expect(await client.failure(ping) == nil)
            let before = server.reads
            let eventLoop = bench.eventLoops.group.next()
            let replies = try await eventLoop.flatSubmit {
                let promises = (0..<10).map { number in
                    let promise = eventLoop.makePromise(of: RedisReply.self)
                    client.send(RedisCommand("ECHO", "\(number)")) {
                        promise.completeWith($0.mapError { $0 as any Error })
                    }
                    return promise.futureResult
                }
                return EventLoopFuture.whenAllSucceed(promises, on: eventLoop)
            }.get()
            #expect(replies.map(\.text) == (0..<10).map { "\($0)" })
            #expect(server.reads == before + 1)
        }
    }

    @Test func lateReply_isNotTakenForThatOfTheNextCommand() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                words.last == "slow" ? .nothing : .send(bulk("slow") + bulk(words.last ?? ""))
            }
            let client = try bench.client([server.address]) {
                $0.commandTimeout = .seconds(2)
            }
            // Some machine may need longer for the connection: then nothing was asked.
            while server.commands.isEmpty {
                #expect(await client.failure(RedisCommand("ECHO", "slow")) == .timedOut)
            }
            #expect(server.commands.count == 1)
            #expect(try await client.send(RedisCommand("ECHO", "next")).text == "next")
        }
    }

    @Test func serverThatStaysSilent_isLeftAlone_untilItHasRested() async throws {
        try await RedisBench.run { bench in
            let isSilent = Mutex(true)
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                words.last != "hello" && isSilent.withLock { $0 } ? .nothing : Self.echo(words)
            }
            let client = try bench.client([server.address]) {
                $0.failuresMax = 2
                // A busy machine may take long for a command, and between two.
                $0.restMin = .seconds(4)
                $0.restMax = .seconds(4)
                $0.commandTimeout = .seconds(2)
            }
            #expect(await client.failure(ping) == nil)
            let late = RedisCommand("ECHO", "late")
            #expect(await client.failure(late) == .timedOut)
            #expect(await client.failure(late) == .timedOut)
            #expect(await client.failure(late) == .circuitOpen)
            #expect(server.commands.count == 3)
            isSilent.withLock { $0 = false }
            try await eventually { await client.failure(late) == nil }
            #expect(bench.log.lines == ["Redis does not serve", "Redis serves again"])
        }
    }

    @Test func serverThatIsNotThere_failsCommandsAtOnce_andTheNextAddressIsUsed() async throws {
        try await RedisBench.run { bench in
            let port = try await freeRedisPorts(1)[0]
            let nobody = RedisAddress(host: "127.0.0.1", port: port)
            let client = try bench.client([nobody]) {
                $0.restMin = .seconds(3600)
                $0.restMax = .seconds(3600)
            }
            #expect(await client.failure(ping) == .connectionLost)
            #expect(await client.failure(ping) == .circuitOpen)

            let server = try await FakeRedis.start(on: bench.eventLoops, Self.echo)
            let other = try bench.client([nobody, server.address]) {
                $0.restMin = .seconds(3600)
                $0.restMax = .seconds(3600)
            }
            #expect(await other.failure(ping) == .connectionLost)
            #expect(await other.failure(ping) == nil)
        }
    }

    @Test func connectionThatEnds_failsWhatIsUnderWay_andTheNextCommandConnects() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                switch words.last {
                case "close": .close
                case "garbage": .send("HTTP/1.1 400 Bad Request\r\n\r\n")
                case "twice": .send(bulk("twice") + bulk("another"))
                case "large": .send("$99999999\r\n")
                default: Self.echo(words)
                }
            }
            let client = try bench.client([server.address]) { $0.failuresMax = 100 }
            #expect(await client.failure(RedisCommand("ECHO", "close")) == .connectionLost)
            #expect(await client.failure(ping) == nil)
            #expect(await client.failure(RedisCommand("ECHO", "garbage")) == .protocolBroken)
            #expect(await client.failure(ping) == nil)
            #expect(await client.failure(RedisCommand("ECHO", "large")) == .protocolBroken)
            #expect(try await client.send(RedisCommand("ECHO", "twice")).text == "twice")
            #expect(try await client.send(RedisCommand("ECHO", "own")).text == "own")
        }
    }

    @Test func newsOfTheServer_areNoReplies() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) {
                .send(">2\r\n+invalidate\r\n_\r\n" + bulk($0.last ?? "") + ">1\r\n:1\r\n")
            }
            let client = try bench.client([server.address])
            for number in 0..<3 {
                let reply = try await client.send(RedisCommand("ECHO", "\(number)"))
                #expect(reply.text == "\(number)")
            }
        }
    }

    @Test func commandsBeyondTheLimit_areRefusedAtOnce() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) { _ in .nothing }
            let client = try bench.client([server.address]) { $0.commandsInFlightMax = 2 }
            let codes = Mutex<[RedisFailure.Code?]>([])
            try await bench.eventLoops.group.next().submit {
                for _ in 0..<3 {
                    client.send(RedisCommand("PING", "x")) { result in
                        let failure =
                            if case .failure(let failure) = result { failure.code } else {
                                nil as RedisFailure.Code?
                            }
                        codes.withLock { $0.append(failure) }
                    }
                }
            }.get()
            #expect(codes.withLock { $0 } == [.overloaded])
            await client.shutDown()
            #expect(codes.withLock { $0 } == [.overloaded, .shutDown, .shutDown])
        }
    }

    @Test func errors_areFailures() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) {
                .send("-\($0.last ?? "")\r\n")
            }
            let client = try bench.client([server.address])
            for (error, code): (String, RedisFailure.Code) in [
                ("WRONGTYPE no", .refused), ("LOADING wait", .unavailable),
                ("TRYAGAIN later", .unavailable), ("MOVED 1 a:1", .refused), ("NOSCRIPT", .refused),
            ] {
                #expect(await client.failure(RedisCommand("ECHO", error)) == code, "\(error)")
            }
            #expect(await client.failure(RedisCommand("SUBSCRIBE", "x")) == .invalidCommand)
            #expect(!server.commands.contains(["SUBSCRIBE", "x"]))
        }
    }

    @Test func script_isSentWhole_whereItIsNotKnown() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) {
                $0[0] == "EVALSHA" ? .send("-NOSCRIPT No matching script.\r\n") : .send(":7\r\n")
            }
            let client = try bench.client([server.address])
            let script = RedisScript("return 7")
            let reply = try await client.send(RedisCommand(script, keys: [[0x6B]]))
            #expect(reply == .integer(7))
            #expect(
                server.commands == [
                    ["EVALSHA", script.digest, "1", "k"], ["EVAL", "return 7", "1", "k"],
                ])
        }
    }

    @Test func wrongPassword_isSaid_withoutThePassword() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) {
                .send("-WRONGPASS invalid: \($0.joined(separator: " "))\r\n")
            }
            let client = try bench.client([server.address]) {
                $0.credentials = RedisCredentials(username: "u", password: "hush")
            }
            guard case .failure(let failure) = await client.result(ping) else {
                Issue.record("a wrong password was taken")
                return
            }
            #expect(failure.code == .refused)
            #expect(failure.message.contains("WRONGPASS"))
            #expect(!failure.message.contains("hush"))
        }
    }

    @Test func clientWithoutServers_isRefused() async throws {
        try await RedisBench.run { bench in
            #expect(throws: ServingError.self) { try bench.client([]) }
        }
    }

    @Test func endOfTheServiceGroup_failsWhatIsUnderWay_andWhatFollows() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) { _ in .nothing }
            let client = try bench.client([server.address])
            try await testGracefulShutdown { trigger in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await client.run() }
                    async let underWay = client.failure(ping)
                    try await eventually { !server.commands.isEmpty }
                    trigger.triggerGracefulShutdown()
                    try await group.waitForAll()
                    #expect(await underWay == .shutDown)
                }
            }
            #expect(await client.failure(ping) == .shutDown)
        }
    }

    /// Whatever a server does, a command ends once, and never with the reply to another.
    @Test func serverThatDoesAnything_leadsToNoWrongReply() async throws {
        try await RedisBench.run(loops: 2) { bench in
            let random = Mutex(SeededGenerator(seed: SimulationSeeds.first(1).lowerBound))
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                let value = words.last ?? ""
                return switch random.withLock({ Int.random(in: 0..<200, using: &$0) }) {
                case 0: .close
                case 1: .hang
                case 2: .send("?\r\n")
                case 3: .send("-LOADING wait\r\n")
                case 4: .send(">1\r\n:1\r\n" + bulk(value))
                case 5: .send("$3\r\nab")
                default: .send(bulk(value))
                }
            }
            let client = try bench.client([server.address]) {
                $0.commandTimeout = .milliseconds(100)
                $0.restMin = .milliseconds(1)
                $0.restMax = .milliseconds(2)
            }
            let (right, failed, wrong) = await withTaskGroup(of: [Bool?].self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        var isRight: [Bool?] = []
                        for number in 0..<250 {
                            let value = "\(worker)-\(number)"
                            let result = await client.result(RedisCommand("ECHO", value))
                            isRight.append((try? result.get()).map { $0.text == value })
                        }
                        return isRight
                    }
                }
                return await group.reduce(into: (0, 0, 0)) { ends, isRight in
                    ends.0 += isRight.filter { $0 == true }.count
                    ends.1 += isRight.filter { $0 == nil }.count
                    ends.2 += isRight.filter { $0 == false }.count
                }
            }
            #expect(wrong == 0)
            #expect(right > 0)
            #expect(failed > 0)
            #expect(right + failed == 2000)
        }
    }
}
