import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Messages of name servers")
struct DNSMessageTests {
    /// An answer with services whose targets are aliased, compressed and come along.
    private var rich: MessageBytes {
        var message = MessageBytes()
        let host: [UInt8] = [1, 0x61, 0xC0, 12]  // "a" and the name of the question, at byte 12.
        message.answers = [
            .service("q.example", 10, 60, 8501, target: host),
            .service("Q.Example", 20, 0, 8502, target: dnsName("Node-2.Example")),
            .alias("q.example", of: "other.example"),
            .ipv4("other.example", [10, 0, 0, 1]),
            .ipv6("other.example", last: 1),
        ]
        message.authorities = [.ipv4("ns.example", [10, 9, 9, 9])]
        message.others = [
            .ipv4("A.q.example", [10, 0, 0, 2]), .ipv6("a.q.example", last: 2),
            .init(owner: [0], type: 41, number: 1232, content: []),
        ]
        return message
    }

    @Test func message_isReadWhole() throws {
        let message = try DNSMessage(rich.bytes)
        #expect(message.addresses == ["10.0.0.1", "2001:db8::1"])
        #expect(
            message.services == [
                ServiceRecord(priority: 10, weight: 60, port: 8501, target: "a.q.example"),
                ServiceRecord(priority: 20, weight: 0, port: 8502, target: "node-2.example"),
            ])
        #expect(message.others == ["a.q.example": ["10.0.0.2", "2001:db8::2"]])
    }

    @Test func message_withoutAnswers_isEmpty() throws {
        let message = try DNSMessage(MessageBytes().bytes)
        #expect(message.addresses.isEmpty && message.services.isEmpty && message.others.isEmpty)
    }

    @Test func serviceThatIsNotOffered_hasNoTarget() throws {
        var message = MessageBytes()
        message.answers = [.service("q.example", 0, 0, 0, target: [0])]
        #expect(try DNSMessage(message.bytes).services.map(\.target) == [""])
    }

    @Test func recordsOfOtherClasses_areNoAnswers() throws {
        var message = MessageBytes()
        message.answers = [.init(owner: dnsName("q.example"), type: 1, number: 3, content: [9])]
        #expect(try DNSMessage(message.bytes).addresses.isEmpty)
    }

    @Test(arguments: [
        0x0180,  // A question.
        0x8380,  // Cut short.
    ])
    func messageThatIsNoWholeAnswer_isMalformed(flags: Int) {
        var message = rich
        message.flags = flags
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test func everyShorterMessage_isMalformed() {
        let bytes = rich.bytes
        for count in 0..<bytes.count {
            #expect(DNSMessage.read(Array(bytes.prefix(count))) == .failure(.malformed), "\(count)")
        }
    }

    /// Names at the begin of the answers that are none.
    private static let ways: [[UInt8]] = [
        [0xC0, 27],  // To itself.
        [0xC0, 0xFF],  // To what is to come.
        [1, 0x61, 0xC0, 27],  // To its own begin.
        [0x40, 0x61, 0],  // A label of a kind that there is not.
        [0xC0],
    ]

    @Test(arguments: ways)
    func nameThatLeadsNowhere_isMalformed(owner: [UInt8]) {
        var message = MessageBytes()
        #expect(message.bytes.count == 27)
        message.answers = [.init(owner: owner, type: 1, content: [10, 0, 0, 1])]
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test func longestName_isTaken_andOneMore_isNot() {
        let label = [63] + [UInt8](repeating: 0x61, count: 63)
        let most = label + label + label + [61] + [UInt8](repeating: 0x61, count: 61) + [0]
        for (target, isGood) in [(most, true), ([1, 0x61] + most, false)] {
            var message = MessageBytes()
            message.answers = [.service("q.example", 0, 0, 1, target: target)]
            #expect(((try? DNSMessage(message.bytes)) != nil) == isGood)
        }
    }

    @Test(arguments: ["a b.example", "ä.example", "a/b.example", "a\0.example"])
    func targetThatIsNoHost_isMalformed(target: String) {
        var message = MessageBytes()
        message.answers = [.service("q.example", 0, 0, 1, target: dnsName(target))]
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test func dotWithinALabel_isNoHost() {
        var message = MessageBytes()
        message.answers = [.service("q.example", 0, 0, 1, target: [3, 0x61, 0x2E, 0x62, 0])]
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test(arguments: [(1, 3), (1, 5), (28, 4), (28, 17), (33, 6)])
    func contentOfTheWrongLength_isMalformed(type: Int, length: Int) {
        var message = MessageBytes()
        let content = [UInt8](repeating: 1, count: length)
        message.answers = [.init(owner: dnsName("q.example"), type: type, content: content)]
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test func serviceLongerThanItsName_isMalformed() {
        var message = MessageBytes()
        message.answers = [.service("q.example", 0, 0, 1, target: dnsName("a.example") + [0])]
        #expect(DNSMessage.read(message.bytes) == .failure(.malformed))
    }

    @Test func messagesWithMistakes_areReadOrRefused() {
        let bytes = rich.bytes
        var refused = 0
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            var mistaken = bytes
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                mistaken[place] = UInt8.random(in: .min ... .max, using: &generator)
            }
            switch DNSMessage.read(mistaken) {
            case .failure: refused += 1
            case .success(let message):
                // Whatever it says fits in what was sent.
                let names = message.services.map(\.target) + message.others.keys
                #expect(names.allSatisfy { $0.utf8.count < 255 }, "\(SimulationSeeds.replay(seed))")
                #expect(
                    message.addresses.count + message.services.count <= bytes.count / 11,
                    "\(SimulationSeeds.replay(seed))")
            }
        }
        #expect(refused > 0)
    }

    @Test func anyBytes_areReadOrRefused() {
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 0..<200, using: &generator)
            var bytes: [UInt8] = [0, 0, 0x80, 0]
            for _ in 0..<count { bytes.append(UInt8.random(in: .min ... .max, using: &generator)) }
            let first = DNSMessage.read(bytes)
            #expect(first == DNSMessage.read(bytes), "\(SimulationSeeds.replay(seed))")
        }
    }
}
