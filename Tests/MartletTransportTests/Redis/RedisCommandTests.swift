import NIOCore
import Testing

@testable import MartletTransport

@Suite("Commands of Redis")
struct RedisCommandTests {
    private func wire(_ command: RedisCommand) -> String {
        var buffer = ByteBuffer()
        command.write(to: &buffer)
        #expect(buffer.readableBytes <= command.wireBytesMax)
        return String(buffer: buffer)
    }

    @Test func command_isAnArrayOfStrings() {
        #expect(wire(RedisCommand("PING")) == "*1\r\n$4\r\nPING\r\n")
        let set = RedisCommand("SET", key: [0x6B], Array("a\r\nb".utf8), [])
        #expect(wire(set) == "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n$0\r\n\r\n")
    }

    @Test(arguments: [
        // The check value of CRC-16/XMODEM, and slots that redis-server gives.
        ("123456789", 12739), ("foo", 12182), ("bar", 5061), ("", 0),
        ("{foo}bar", 12182), ("a{foo}{bar}", 12182), ("{foo", 13308), ("foo}{", 8134),
    ])
    func slot_isThatOfTheHashTag(key: String, slot: Int) {
        #expect(RedisSlot.of(Array(key.utf8)) == slot)
    }

    @Test func emptyHashTag_isNone() {
        let whole = RedisSlot.of(Array("foo{}{bar}".utf8))
        #expect(whole != RedisSlot.of(Array("bar".utf8)))
        #expect(whole != RedisSlot.of([]))
        #expect(RedisSlot.of(Array("foo{{bar}}zap".utf8)) == RedisSlot.of(Array("{bar".utf8)))
    }

    @Test func keysOfSeveralSlots_areRefused() throws {
        let words = ["MGET", "{a}1", "{a}2"].map { Array($0.utf8) }
        #expect(
            try RedisCommand(words, keys: 1..<3).slot() == RedisSlot.of(Array("a".utf8)))
        let others = ["MGET", "a", "b"].map { Array($0.utf8) }
        #expect(throws: RedisFailure.self) { try RedisCommand(others, keys: 1..<3).slot() }
        #expect(try RedisCommand("PING").slot() == nil)
        // Positions of no argument are no keys.
        #expect(try RedisCommand(words, keys: 7..<9).slot() == nil)
        #expect(try RedisCommand([], keys: 1..<2).slot() == nil)
    }

    @Test(arguments: ["", "subscribe", "MULTI", "Monitor", "BLPOP", "hello", "CLIENT"])
    func commandThatChangesTheConnection_isRefused(name: String) {
        #expect(throws: RedisFailure.self) { try RedisCommand(name).check() }
    }

    @Test func commandWithoutAnything_isRefused() {
        #expect(throws: RedisFailure.self) { try RedisCommand([]).check() }
        #expect(throws: Never.self) { try RedisCommand("GET", key: []).check() }
    }

    @Test func script_isSentByItsDigest_thenByItsSource() throws {
        let script = RedisScript("return 1")
        #expect(script.digest == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
        let command = RedisCommand(script, keys: [[0x61], [0x62]], arguments: [[0x63]])
        let text = command.arguments.map { String(decoding: $0, as: UTF8.self) }
        #expect(text == ["EVALSHA", script.digest, "2", "a", "b", "c"])
        #expect(command.keys == 3..<5)
        let again = try #require(command.withSource)
        let source = again.arguments.map { String(decoding: $0, as: UTF8.self) }
        #expect(source == ["EVAL", "return 1", "2", "a", "b", "c"])
        #expect(again.keys == 3..<5)
        #expect(again.withSource == nil)
        #expect(RedisCommand("GET", key: [0x61]).withSource == nil)
    }

    @Test(arguments: [
        // FIPS 180-4's examples, and lengths about the end of a block.
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
    ])
    func digest_isSHA1(text: String, digest: String) {
        #expect(SHA1.hexadecimal(of: Array(text.utf8)) == digest)
    }

    @Test func password_isNeverPrinted() {
        var configuration = RedisConfiguration(addresses: [])
        configuration.credentials = RedisCredentials(username: "martin", password: "hush")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(text.contains("martin"))
            #expect(!text.contains("hush"))
        }
    }
}
