import Testing

@testable import MartletTransport

@Suite("Who owns what in a Redis Cluster")
struct RedisTopologyTests {
    private let asked = RedisAddress(host: "asked", port: 7000)

    private func server(_ host: RedisReply, _ port: Int64) -> RedisReply {
        .array([host, .integer(port), .bytes(Array("id".utf8)), .array([])])
    }

    private func named(_ host: String, _ port: Int64) -> RedisReply {
        server(.bytes(Array(host.utf8)), port)
    }

    private func read(_ ranges: [[RedisReply]], serversMax: Int = 10) -> RedisTopology? {
        RedisTopology(
            slots: .array(ranges.map { .array($0) }), from: asked, serversMax: serversMax)
    }

    @Test func slots_belongToTheFirstServerOfTheirRange() throws {
        let topology = try #require(
            read([
                [.integer(0), .integer(99), named("a", 1), named("b", 2)],
                [.integer(100), .integer(16383), named("c", 3)],
            ]))
        #expect(topology.owner(of: 0) == RedisAddress(host: "a", port: 1))
        #expect(topology.owner(of: 99) == RedisAddress(host: "a", port: 1))
        #expect(topology.owner(of: 100) == RedisAddress(host: "c", port: 3))
        #expect(topology.owner(of: 16383) == RedisAddress(host: "c", port: 3))
        #expect(topology.servers.map(\.host).sorted() == ["a", "b", "c"])
        for slot in [-1, 16384, .max, .min] { #expect(topology.owner(of: slot) == nil) }
    }

    @Test func serverThatDoesNotKnowItsHost_isWhereItWasAsked() throws {
        let topology = try #require(
            read([
                [.integer(0), .integer(0), server(.null, 1)],
                [.integer(1), .integer(1), named("", 2)],
                [.integer(2), .integer(2), named("?", 3), named("r", 4)],
            ]))
        #expect(topology.owner(of: 0) == RedisAddress(host: "asked", port: 1))
        #expect(topology.owner(of: 1) == RedisAddress(host: "asked", port: 2))
        // Never the replica in its place.
        #expect(topology.owner(of: 2) == nil)
        #expect(topology.owner(of: 3) == nil)
    }

    @Test func replyThatIsNone_isNotTaken() {
        let good = named("a", 1)
        for range: [RedisReply] in [
            [], [.integer(0)], [.integer(0), .integer(1)], [.integer(-1), .integer(1), good],
            [.integer(0), .integer(16384), good], [.integer(5), .integer(4), good],
            [.integer(.max), .integer(.max), good], [.null, .integer(1), good],
            [.integer(0), .integer(1), .null], [.integer(0), .integer(1), .array([])],
            [.integer(0), .integer(1), named("a", 0)],
            [.integer(0), .integer(1), named("a", 65536)],
            [.integer(0), .integer(1), named(String(repeating: "a", count: 256), 1)],
            [.integer(0), .integer(1), server(.bytes([0xFF]), 1)],
        ] {
            #expect(read([range]) == nil, "\(range)")
        }
        #expect(read([]) == nil)
        #expect(RedisTopology(slots: .null, from: asked, serversMax: 10) == nil)
        #expect(RedisTopology(slots: .status("OK"), from: asked, serversMax: 10) == nil)
    }

    @Test func serversBeyondTheLimit_areNotTaken() throws {
        let ranges: [[RedisReply]] = (0..<20 as Range<Int64>).map {
            [.integer($0), .integer($0), named("a", $0 + 1)]
        }
        var topology = try #require(read(ranges, serversMax: 5))
        #expect(topology.servers.count == 5)
        #expect(topology.owner(of: 4) != nil)
        #expect(topology.owner(of: 5) == nil)
        topology.assign(0, to: RedisAddress(host: "z", port: 1))
        #expect(topology.owner(of: 0) == RedisAddress(host: "a", port: 1))
    }

    @Test func slotThatMoved_hasItsNewOwner() {
        var topology = RedisTopology(serversMax: 10)
        #expect(topology.owner(of: 7) == nil)
        for port in [1, 2, 1] {
            topology.assign(7, to: RedisAddress(host: "a", port: port))
            #expect(topology.owner(of: 7) == RedisAddress(host: "a", port: port))
        }
        #expect(topology.owner(of: 8) == nil)
        for slot in [-1, 16384] { topology.assign(slot, to: asked) }
        #expect(topology.servers.count == 2)
    }

    @Test(arguments: [
        (
            "MOVED 3999 127.0.0.1:6381",
            RedisErrorReply.moved(slot: 3999, to: .init(host: "127.0.0.1", port: 6381))
        ),
        ("MOVED 0 ::1:6381", .moved(slot: 0, to: .init(host: "::1", port: 6381))),
        ("MOVED 16383 :6381", .moved(slot: 16383, to: .init(host: "asked", port: 6381))),
        ("ASK 1 h:1", .ask(slot: 1, to: .init(host: "h", port: 1))),
        ("NOSCRIPT No matching script.", .noScript),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .tryAgain),
        ("CLUSTERDOWN The cluster is down", .unavailable),
        ("LOADING Redis is loading the dataset in memory", .unavailable),
        ("MASTERDOWN Link with MASTER is down", .unavailable),
        ("READONLY You can't write against a read only replica.", .unavailable),
        ("WRONGTYPE Operation against a key", .refused),
        ("", .refused), ("MOVED", .refused), ("MOVED 1", .refused), ("MOVED x a:1", .refused),
        ("MOVED 16384 a:1", .refused), ("MOVED -1 a:1", .refused), ("MOVED 1 a", .refused),
        ("MOVED 1 a:0", .refused), ("MOVED 1 a:65536", .refused), ("MOVED 1 ?:1", .refused),
        ("ASK 1 a:b", .refused), ("MOVED 1 a:1 b", .refused), ("moved 1 a:1", .refused),
    ])
    func errors_sayWhatToDo(text: String, meaning: RedisErrorReply) {
        #expect(RedisErrorReply(text, from: asked) == meaning)
    }

    @Test func topology_isAskedForAtOnce_atItsInterval_andNeverTooOften() {
        var schedule = RedisTopologySchedule(
            intervalMin: .milliseconds(100), interval: .seconds(30))
        func begins(_ milliseconds: Int) -> Bool {
            schedule.begin(now: .milliseconds(milliseconds))
        }
        #expect(begins(5000))
        // Once at a time.
        #expect(!begins(90_000))
        schedule.end(isAnswered: true)
        #expect(!begins(34_000))
        #expect(begins(35_000))
        schedule.end(isAnswered: true)
        schedule.want()
        #expect(!begins(35_099))
        #expect(begins(35_100))
        // Cause that comes while it is asked counts for the next time.
        schedule.want()
        schedule.end(isAnswered: true)
        #expect(begins(35_200))
        schedule.end(isAnswered: false)
        #expect(begins(35_300))
    }
}
