import MartletTestKit
import Testing

@testable import MartletTransport

/// A cluster of three masters, each with a replica.
struct RedisCluster {
    let members: [RedisServer]

    static func run(_ body: (RedisCluster, RedisBench) async throws -> Void) async throws {
        try await RedisBench.run(loops: 2) { bench in
            var members: [RedisServer] = []
            defer { for member in members { member.end() } }
            for _ in 0..<6 { members.append(try await RedisServer.startMember()) }
            let cluster = RedisCluster(members: members)
            try output(
                of: "/usr/bin/redis-cli",
                ["--cluster", "create"] + members.map { "\($0.address)" }
                    + ["--cluster-replicas", "1", "--cluster-yes"])
            // All hear of all a little later.
            try await eventually { try cluster.isComplete() }
            try await body(cluster, bench)
        }
    }

    /// The master that owns a slot, by its own account.
    func owner(of slot: Int) throws -> RedisServer {
        let owner = try members.first { member in
            let own = try nodes(as: member).first { $0.count > 8 && $0[2].contains("myself") }
            return (own ?? []).dropFirst(8).contains { range in
                let bounds = range.split(separator: "-").compactMap { Int($0) }
                return bounds.count == 2 && (bounds[0]...bounds[1]).contains(slot)
            }
        }
        return try #require(owner)
    }

    private func isComplete() throws -> Bool {
        try members.allSatisfy { member in
            let replicas = try nodes(as: member).filter { $0[2].contains("slave") }
            return try replicas.count == 3
                && member.cli("CLUSTER", "INFO").contains("cluster_state:ok")
                && !member.cli("INFO", "replication").contains("master_link_status:down")
        }
    }

    /// The members as one of them knows them, each in words.
    private func nodes(as member: RedisServer) throws -> [[Substring]] {
        try member.cli("CLUSTER", "NODES").split(separator: "\n").map { $0.split(separator: " ") }
            .filter { $0.count >= 8 }
    }
}

@Suite(
    "A client of a real Redis Cluster", .enabled(if: RedisServer.isInstalled, RedisServer.missing),
    .serialized)
struct RedisClusterTests {
    @Test func keysOfAllSlots_reachTheirServers() async throws {
        try await RedisCluster.run { cluster, bench in
            let client = try bench.client([cluster.members[5].address], isCluster: true)
            var random = SeededGenerator(seed: 5)
            for number in 0..<200 {
                let tag = Int.random(in: 0..<3, using: &random) == 0 ? "{t\(number)}" : "k"
                let key = "\(tag)\(random.next())"
                _ = try await client.result("SET", key, "\(number)").get()
                #expect(try await client.result("GET", key).get().text == "\(number)")
                guard number < 20 else { continue }
                let slot = try cluster.members[0].cli("CLUSTER", "KEYSLOT", key)
                #expect(slot == "\(RedisSlot.of(Array(key.utf8)))")
            }
            // Each server has its part.
            for slot in [0, 8000, 16000] {
                #expect(try cluster.owner(of: slot).cli("DBSIZE") != "0")
            }
            let words = ["MGET", "a", "b"].map { Array($0.utf8) }
            #expect(await client.failure(RedisCommand(words, keys: 1..<3)) == .invalidCommand)
            let script = RedisScript("return redis.call('GET', KEYS[1])")
            for key in ["a", "b", "c"] {
                _ = try await client.result("SET", key, key).get()
                let command = RedisCommand(script, keys: [Array(key.utf8)])
                #expect(try await client.send(command).text == key)
            }
            await client.shutDown()
        }
    }

    @Test func slotOnTheWay_losesNoKey() async throws {
        try await RedisCluster.run { cluster, bench in
            let client = try bench.client([cluster.members[0].address], isCluster: true)
            let keys = (0..<20).map { "{way}\($0)" }
            for key in keys { _ = try await client.result("SET", key, key).get() }
            let slot = RedisSlot.of(Array("way".utf8))
            let source = try cluster.owner(of: slot)
            let target = try cluster.owner(of: (slot + 8000) % RedisSlot.count)
            let targetID = try target.cli("CLUSTER", "MYID")
            try target.cli(
                "CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", try source.cli("CLUSTER", "MYID"))
            try source.cli("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", targetID)

            func migrate(_ keys: some Sequence<String>) throws {
                for key in keys {
                    try source.cli(
                        "MIGRATE", "127.0.0.1", "\(target.address.port)", key, "0", "5000")
                }
            }
            func expectAll() async throws {
                for key in keys { #expect(try await client.result("GET", key).get().text == key) }
            }
            try migrate(keys.prefix(10))
            try await expectAll()
            // A new key goes where the slot goes.
            _ = try await client.result("SET", "{way}new", "new").get()
            #expect(try target.cli("CLUSTER", "COUNTKEYSINSLOT", "\(slot)") == "11")
            let both = ["MGET", keys[0], keys[19]].map { Array($0.utf8) }
            #expect(await client.failure(RedisCommand(both, keys: 1..<3)) == .unavailable)

            try migrate(keys.dropFirst(10))
            for member in [target, source] {
                try member.cli("CLUSTER", "SETSLOT", "\(slot)", "NODE", targetID)
            }
            try await expectAll()
            #expect(try target.cli("CLUSTER", "COUNTKEYSINSLOT", "\(slot)") == "21")
            #expect(try await client.send(RedisCommand(both, keys: 1..<3)).elements?.count == 2)
            await client.shutDown()
        }
    }

    @Test func masterThatIsKilled_isReplacedByItsReplica_andTheOthersServeOn() async throws {
        try await RedisCluster.run { cluster, bench in
            let client = try bench.client([cluster.members[0].address], isCluster: true) {
                $0.commandTimeout = .seconds(20)
                $0.restMin = .milliseconds(20)
                $0.restMax = .milliseconds(200)
            }
            let keys = (0..<60).map { "key\($0)" }
            for key in keys { _ = try await client.result("SET", key, key).get() }
            // The one seed is among those that can go.
            let victim = cluster.members[0]
            let victims = try keys.filter {
                try cluster.owner(of: RedisSlot.of(Array($0.utf8))) === victim
            }
            let others = keys.filter { !victims.contains($0) }
            try #require(!victims.isEmpty && !others.isEmpty)
            victim.end()
            #expect(await client.failure(RedisCommand("GET", key: Array(victims[0].utf8))) != nil)
            func expectOthers() async throws {
                for key in others {
                    #expect(try await client.result("GET", key).get().text == key)
                }
            }
            try await eventually {
                try await expectOthers()
                let result = await client.result("SET", victims[0], "new")
                return (try? result.get()) != nil
            }
            // The replica may lack what came last, but never has anything else. Each event loop
            // learns of it by itself.
            for key in victims {
                try await eventually {
                    guard let reply = try? await client.result("GET", key).get() else {
                        return false
                    }
                    #expect(reply.isNull || reply.text == (key == victims[0] ? "new" : key))
                    return true
                }
            }
            await client.shutDown()
        }
    }

    @Test func clusterThatIsGone_failsCommandsOnly_andServesAgain() async throws {
        try await RedisCluster.run { cluster, bench in
            let client = try bench.client(cluster.members.map(\.address), isCluster: true) {
                $0.commandTimeout = .milliseconds(500)
                $0.connectTimeout = .milliseconds(500)
                $0.restMin = .milliseconds(20)
                $0.restMax = .milliseconds(100)
            }
            try await eventually { (try? await client.result("SET", "k", "v").get()) != nil }
            for member in cluster.members { member.pause() }
            try await eventually {
                await client.failure(RedisCommand("GET", key: [0x6B])) == .circuitOpen
            }
            for member in cluster.members { member.resume() }
            try await eventually { (try? await client.result("GET", "k").get())?.text == "v" }
            await client.shutDown()
        }
    }
}
