@testable import MartletGateway

/// A message of a name server, as it is made byte by byte.
struct MessageBytes {
    /// A record and the bytes of what it says.
    struct Record {
        var owner: [UInt8]
        var type: Int
        var number = 1
        var content: [UInt8]

        static func ipv4(_ owner: String, _ bytes: [UInt8]) -> Record {
            Record(owner: dnsName(owner), type: 1, content: bytes)
        }

        static func ipv6(_ owner: String, last: UInt8) -> Record {
            let zeros = [UInt8](repeating: 0, count: 11)
            let bytes = [0x20, 0x01, 0x0D, 0xB8] + zeros + [last]
            return Record(owner: dnsName(owner), type: 28, content: bytes)
        }

        static func service(
            _ owner: String, _ priority: Int, _ weight: Int, _ port: Int, target: [UInt8]
        ) -> Record {
            let numbers = [priority, weight, port].flatMap(MessageBytes.number)
            return Record(owner: dnsName(owner), type: 33, content: numbers + target)
        }

        static func alias(_ owner: String, of other: String) -> Record {
            Record(owner: dnsName(owner), type: 5, content: dnsName(other))
        }

        var bytes: [UInt8] {
            owner + MessageBytes.number(type) + MessageBytes.number(number) + [0, 0, 0, 30]
                + MessageBytes.number(content.count) + content
        }
    }

    var identifier = 7
    var flags = 0x8180
    var question = dnsName("q.example") + [0, 33, 0, 1]
    var answers: [Record] = []
    var authorities: [Record] = []
    var others: [Record] = []

    var bytes: [UInt8] {
        let counts = [1, answers.count, authorities.count, others.count]
        return ([identifier, flags] + counts).flatMap(Self.number) + question
            + (answers + authorities + others).flatMap(\.bytes)
    }

    static func number(_ number: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }

    /// A name without compression.
    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
    }
}

func dnsName(_ text: String) -> [UInt8] { MessageBytes.name(text) }

extension DNSMessage {
    /// The message, or why it is none.
    static func read(_ bytes: [UInt8]) -> Result<DNSMessage, DNSFailure> {
        Result { () throws(DNSFailure) in try DNSMessage(bytes) }
    }
}

extension EndpointSet {
    /// The endpoints in words.
    var words: [String] { endpoints.map { "\($0.id) \($0.weight)" } }
}
