import NIOCore
import Testing

@testable import MartletTransport

/// What comes of bytes that arrive in the given pieces.
func redisReplies(
    _ pieces: [[UInt8]], limits: RedisReplyLimits = RedisReplyLimits()
) -> (replies: [RedisReply], fault: RedisProtocolFault?) {
    var reader = RedisReplyReader(limits: limits)
    var replies: [RedisReply] = []
    do throws(RedisProtocolFault) {
        for piece in pieces {
            reader.receive(ByteBuffer(bytes: piece))
            while let reply = try reader.next() { replies.append(reply) }
        }
        return (replies, nil)
    } catch {
        return (replies, error)
    }
}

@Suite("Replies of Redis are read")
struct RedisReplyReaderTests {
    static let valid: [(text: String, reply: RedisReply)] = [
        ("+OK\r\n", .status("OK")),
        ("+\r\n", .status("")),
        ("-ERR no\r\n", .error("ERR no")),
        (":0\r\n", .integer(0)),
        (":-9223372036854775808\r\n", .integer(.min)),
        (":+9223372036854775807\r\n", .integer(.max)),
        ("$5\r\na\r\nbc\r\n", .bytes(Array("a\r\nbc".utf8))),
        ("$0\r\n\r\n", .bytes([])),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n$1\r\na\r\n*1\r\n:7\r\n", .array([.bytes([0x61]), .array([.integer(7)])])),
        ("*2\r\n*0\r\n-ERR in\r\n", .array([.array([]), .error("ERR in")])),
        ("_\r\n", .null),
        ("#t\r\n", .boolean(true)),
        ("#f\r\n", .boolean(false)),
        (",1.5e3\r\n", .double(1500)),
        (",-inf\r\n", .double(-.infinity)),
        (
            "(-3492890328409238509324850943850943825024385\r\n",
            .bigNumber("-3492890328409238509324850943850943825024385")
        ),
        ("!8\r\nERR a\r\nb\r\n", .error("ERR a\r\nb")),
        ("=7\r\ntxt:abc\r\n", .bytes(Array("abc".utf8))),
        (
            "%1\r\n+k\r\n~2\r\n:1\r\n:1\r\n",
            .map([.init(.status("k"), .set([.integer(1), .integer(1)]))])
        ),
        ("%0\r\n", .map([])),
        (">2\r\n+message\r\n_\r\n", .push([.status("message"), .null])),
        (
            "|1\r\n+ttl\r\n:3\r\n*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:2\r\n",
            .array([.integer(1), .integer(2)])
        ),
        ("|0\r\n:1\r\n", .integer(1)),
    ]

    @Test(arguments: valid.indices)
    func validReply_cutBetweenAnyTwoBytes_isTheSame(index: Int) {
        let (text, reply) = Self.valid[index]
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            let (replies, fault) = redisReplies([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(fault == nil)
            #expect(replies == [reply], "\(text) cut at \(cut)")
        }
        #expect(redisReplies(bytes.map { [$0] }).replies == [reply])
        for length in 0..<bytes.count {
            #expect(redisReplies([Array(bytes[..<length])]).replies.isEmpty, "\(text)")
        }
    }

    @Test func allRepliesTogether_byteByByte_areReadInOrder() {
        let bytes = Self.valid.flatMap { Array($0.text.utf8) }
        #expect(redisReplies([bytes]).replies == Self.valid.map(\.reply))
        #expect(redisReplies(bytes.map { [$0] }).replies == Self.valid.map(\.reply))
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n", "\r\n", "?\r\n", "+a\n", "+a\rb\r\n", ":\r\n", ":1x\r\n",
        ": 1\r\n", ":9223372036854775808\r\n", ":-9223372036854775809\r\n", "$-2\r\n", "$+1\r\n",
        "$1\r\nab\r\n", "$1\r\na\n\n", "$99999999999999999999\r\n", "$?\r\n", "*-2\r\n", "*?\r\n",
        "*1e3\r\n", "%-1\r\n", "~-1\r\n", ">-1\r\n", "!-1\r\n", "_x\r\n", "#\r\n", "#x\r\n",
        ",\r\n",
        ",0x10\r\n", ",infinity\r\n", ",1.\u{660}\r\n", "(\r\n", "(1.5\r\n", "=3\r\ntxt\r\n",
        "=4\r\ntxt;\r\n", "*1\r\n?\r\n",
    ])
    func brokenReply_isAFault_thatStays(text: String) throws {
        let bytes = Array(text.utf8)
        let (replies, fault) = redisReplies([bytes])
        #expect(replies.isEmpty)
        #expect(fault != nil)
        #expect(redisReplies(bytes.map { [$0] }).fault == fault)

        var reader = RedisReplyReader()
        reader.receive(ByteBuffer(bytes: bytes))
        #expect(throws: RedisProtocolFault.self) { try reader.next() }
        reader.receive(ByteBuffer(string: "+OK\r\n"))
        #expect(throws: RedisProtocolFault.self) { try reader.next() }
    }

    @Test func lengthsBeyondTheLimits_areRefusedBeforeAnythingFollows() {
        var limits = RedisReplyLimits()
        limits.bytesMax = 1000
        #expect(redisReplies([Array("$900\r\n".utf8)], limits: limits).fault == nil)
        #expect(redisReplies([Array("$1001\r\n".utf8)], limits: limits).fault != nil)
        #expect(redisReplies([Array("*14\r\n".utf8)], limits: limits).fault == nil)
        #expect(redisReplies([Array("*16\r\n".utf8)], limits: limits).fault != nil)
        #expect(redisReplies([Array("%8\r\n".utf8)], limits: limits).fault != nil)
        for kind in "*%~>|$!=" {
            let text = "\(kind)9223372036854775807\r\n"
            #expect(redisReplies([Array(text.utf8)], limits: limits).fault != nil)
        }
    }

    @Test func sizesThatAddUpBeyondTheLimit_areRefused_eachReplyAlone() {
        var limits = RedisReplyLimits()
        limits.bytesMax = 1000
        let value = "$400\r\n" + String(repeating: "x", count: 400) + "\r\n"
        let three = Array((value + value + value).utf8)
        #expect(redisReplies([three], limits: limits).replies.count == 3)
        let nested = Array("*3\r\n".utf8) + three
        #expect(redisReplies([nested], limits: limits).fault != nil)
        // Attributes stand for nothing, but cost all the same.
        let attributes = String(repeating: "|0\r\n", count: 1000)
        #expect(redisReplies([Array(attributes.utf8)], limits: limits).fault != nil)
    }

    @Test func depthBeyondTheLimit_isRefused() {
        let atLimit = String(repeating: "*1\r\n", count: 8) + ":1\r\n"
        #expect(redisReplies([Array(atLimit.utf8)]).replies.count == 1)
        let beyond = String(repeating: "*1\r\n", count: 9)
        #expect(redisReplies([Array(beyond.utf8)]).fault != nil)
    }

    @Test func lineWithoutEnd_isRefusedAtItsLimit() {
        var limits = RedisReplyLimits()
        limits.lineBytesMax = 100
        let short = [UInt8](repeating: UInt8(ascii: "+"), count: 100)
        #expect(redisReplies([short], limits: limits).fault == nil)
        #expect(redisReplies([short, short], limits: limits).fault != nil)
        #expect(redisReplies([short + short + Array("\r\n".utf8)], limits: limits).fault != nil)
    }

    @Test func valuesOfReplies_areTakenByKind() {
        #expect(RedisReply.bytes([0x61]).text == "a")
        #expect(RedisReply.status("OK").bytes == Array("OK".utf8))
        #expect(RedisReply.bytes([0xFF]).text == nil)
        #expect(RedisReply.integer(3).integer == 3)
        #expect(RedisReply.integer(3).text == nil)
        #expect(RedisReply.set([.null]).elements == [.null])
        #expect(RedisReply.null.isNull)
        #expect(!RedisReply.array([]).isNull)
    }
}
