import Synchronization
import Testing

@testable import MartletTransport

@Suite("A client of a Redis Cluster, by made-up servers")
struct RedisClusterClientTests {
    private let get = RedisCommand("GET", key: Array("foo".utf8))

    private func slots(_ owner: RedisAddress) -> String {
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n\(bulk(owner.host)):\(owner.port)\r\n"
    }

    @Test func slotThatMoved_isFollowed_andRemembered() async throws {
        try await RedisBench.run { bench in
            let owner = try await FakeRedis.start(on: bench.eventLoops) { words in
                words[0] == "CLUSTER" ? .send("-ERR no\r\n") : .send(bulk("bar"))
            }
            let other = try await FakeRedis.start(on: bench.eventLoops) { words in
                words[0] == "CLUSTER"
                    ? .send("-ERR no\r\n") : .send("-MOVED 12182 \(owner.address)\r\n")
            }
            let client = try bench.client([other.address], isCluster: true)
            for _ in 0..<3 { #expect(try await client.send(get).text == "bar") }
            #expect(other.commands.filter { $0[0] == "GET" }.count == 1)
            #expect(owner.commands.filter { $0[0] == "GET" }.count == 3)
        }
    }

    @Test func slotOnTheWay_isAskedForElsewhere_butNotRemembered() async throws {
        try await RedisBench.run { bench in
            let target = try await FakeRedis.start(on: bench.eventLoops) { words in
                words[0] == "ASKING" ? .send("+OK\r\n") : .send(bulk("bar"))
            }
            let owner = Mutex<RedisAddress?>(nil)
            let source = try await FakeRedis.start(on: bench.eventLoops) { words in
                guard words[0] == "CLUSTER" else {
                    return .send("-ASK 12182 \(target.address)\r\n")
                }
                return .send(owner.withLock { $0.map(self.slots) } ?? "-ERR no\r\n")
            }
            owner.withLock { $0 = source.address }
            let client = try bench.client([source.address], isCluster: true)
            for _ in 0..<2 { #expect(try await client.send(get).text == "bar") }
            #expect(source.commands.filter { $0[0] == "GET" }.count == 2)
            #expect(target.commands == [["ASKING"], ["GET", "foo"], ["ASKING"], ["GET", "foo"]])
        }
    }

    @Test func serversThatSendACommandRoundAndRound_areLeftByTheLimit() async throws {
        try await RedisBench.run { bench in
            let addresses = Mutex<[RedisAddress]>([])
            let answering = { @Sendable (next: Int) -> FakeRedis.Answering in
                { words in
                    guard words[0] == "GET" else { return .send("-ERR no\r\n") }
                    let address = addresses.withLock { $0[next] }
                    return .send("-MOVED 12182 \(address)\r\n")
                }
            }
            let first = try await FakeRedis.start(on: bench.eventLoops, answering(1))
            let second = try await FakeRedis.start(on: bench.eventLoops, answering(0))
            addresses.withLock { $0 = [first.address, second.address] }
            let client = try bench.client([first.address], isCluster: true) {
                $0.redirectionsMax = 3
            }
            #expect(await client.failure(get) == .redirectedTooOften)
            let asked = (first.commands + second.commands).filter { $0[0] == "GET" }
            #expect(asked.count == 4)
        }
    }

    @Test func moreServersThanAllowed_areNotConnected() async throws {
        try await RedisBench.run { bench in
            let port = Mutex(1)
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                guard words[0] == "GET" else { return .send("-ERR no\r\n") }
                let next = port.withLock { port in
                    port += 1
                    return port
                }
                return .send("-MOVED 12182 127.0.0.1:\(next)\r\n")
            }
            let client = try bench.client([server.address], isCluster: true) { $0.serversMax = 2 }
            var codes: [RedisFailure.Code?] = []
            for number in 0..<10 {
                // Other slots, whose owner is not known yet.
                codes.append(
                    await client.failure(RedisCommand("GET", key: Array("foo\(number)".utf8))))
            }
            #expect(codes.contains(.unavailable))
        }
    }

    @Test func clusterThatIsDown_isLeftAlone() async throws {
        try await RedisBench.run { bench in
            let server = try await FakeRedis.start(on: bench.eventLoops) { words in
                words[0] == "CLUSTER"
                    ? .send("-ERR no\r\n") : .send("-CLUSTERDOWN The cluster is down\r\n")
            }
            let client = try bench.client([server.address], isCluster: true) {
                // That the server answers this question would be a sign of life.
                $0.topologyIntervalMin = .seconds(3600)
                $0.failuresMax = 2
                $0.restMin = .seconds(3600)
                $0.restMax = .seconds(3600)
            }
            #expect(await client.failure(get) == .unavailable)
            #expect(await client.failure(get) == .unavailable)
            #expect(await client.failure(get) == .circuitOpen)
        }
    }

    @Test func serverThatLeftTheCluster_isForgotten() async throws {
        try await RedisBench.run { bench in
            let owner = Mutex<RedisAddress?>(nil)
            let answering: FakeRedis.Answering = { words in
                guard words[0] == "CLUSTER" else { return .send(bulk("bar")) }
                return .send(owner.withLock { $0.map(self.slots) } ?? "-ERR no\r\n")
            }
            let seed = try await FakeRedis.start(on: bench.eventLoops, answering)
            let first = try await FakeRedis.start(on: bench.eventLoops, answering)
            let second = try await FakeRedis.start(on: bench.eventLoops, answering)
            owner.withLock { $0 = first.address }
            let client = try bench.client([seed.address], isCluster: true) {
                $0.topologyInterval = .zero
                $0.topologyIntervalMin = .zero
            }
            try await eventually {
                _ = await client.result(get)
                return first.commands.contains(["GET", "foo"])
            }
            owner.withLock { $0 = second.address }
            try await eventually {
                _ = await client.result(get)
                return second.commands.contains(["GET", "foo"])
            }
            let before = first.commands.filter { $0[0] == "GET" }.count
            for _ in 0..<10 { #expect(try await client.send(get).text == "bar") }
            #expect(first.commands.filter { $0[0] == "GET" }.count == before)
        }
    }
}
