import Foundation

/// What an answer of a name server says (RFC 1035, section 4; RFC 2782; RFC 3596).
///
/// Who answers may be anyone, so every length and every pointer is checked. The resolver has seen
/// to it that this is the answer to what was asked.
struct DNSMessage: Sendable, Hashable {
    /// The addresses that answer the question, by way of whatever aliases.
    private(set) var addresses: [String] = []
    /// The services that answer the question.
    private(set) var services: [ServiceRecord] = []
    /// Addresses that come along, by the name that has them, in lower case.
    private(set) var others: [String: [String]] = [:]

    /// Reads a message.
    ///
    /// - Throws: ``DNSFailure/malformed``, also for one that was cut short: endpoints that are
    ///   missing from it must not be taken for gone.
    init(_ bytes: [UInt8]) throws(DNSFailure) {
        var reader = DNSReader(bytes)
        _ = try reader.number(bytes: 2)
        let flags = try reader.number(bytes: 2)
        guard flags & Flags.isResponse != 0, flags & Flags.isTruncated == 0 else {
            throw .malformed
        }
        var counts: [Int] = []
        for _ in 0..<4 { counts.append(try reader.number(bytes: 2)) }
        for _ in 0..<counts[0] {
            _ = try reader.name()
            try reader.skip(4)
        }
        for _ in 0..<counts[1] { takeAnswer(try reader.record()) }
        for _ in 0..<counts[2] { _ = try reader.record() }
        for _ in 0..<counts[3] { takeOther(try reader.record()) }
    }

    private mutating func takeAnswer(_ record: DNSReader.Record) {
        switch record.content {
        case .address(let address): addresses.append(address)
        case .service(let service): services.append(service)
        case nil: break
        }
    }

    private mutating func takeOther(_ record: DNSReader.Record) {
        guard case .address(let address)? = record.content, let owner = record.owner else { return }
        others[owner, default: []].append(address)
    }

    private enum Flags {
        static let isResponse = 0x8000
        static let isTruncated = 0x0200
    }
}

/// The types of records that are asked for.
enum DNSRecordType: Int, Sendable {
    case ipv4 = 1
    case ipv6 = 28
    case service = 33
}

/// Reads the parts of a message in their order.
private struct DNSReader {
    /// A record of any type.
    struct Record {
        /// What is understood of records.
        enum Content {
            case address(String)
            case service(ServiceRecord)
        }

        /// Whose it is; nil for names that no host has.
        let owner: String?
        /// What it says; nil for types and classes that nobody asked for.
        let content: Content?
    }

    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func skip(_ count: Int) throws(DNSFailure) {
        guard count <= bytes.count - offset else { throw .malformed }
        offset += count
    }

    /// A whole number, the highest byte first.
    mutating func number(bytes count: Int) throws(DNSFailure) -> Int {
        let start = offset
        try skip(count)
        return bytes[start..<offset].reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func record() throws(DNSFailure) -> Record {
        let owner = try name()
        let type = DNSRecordType(rawValue: try number(bytes: 2))
        let isInternet = try number(bytes: 2) == 1
        // How long it may be kept: the lookups are as often as the operator says.
        try skip(4)
        let length = try number(bytes: 2)
        let end = offset + length
        var content: Record.Content?
        switch isInternet ? type : nil {
        case .ipv4: content = .address(try address(AF_INET, length: 4, of: length))
        case .ipv6: content = .address(try address(AF_INET6, length: 16, of: length))
        case .service: content = .service(try service())
        case nil: try skip(length)
        }
        guard offset == end else { throw .malformed }
        return Record(owner: owner, content: content)
    }

    private mutating func address(
        _ family: CInt, length: Int, of given: Int
    ) throws(DNSFailure) -> String {
        guard given == length else { throw .malformed }
        let start = offset
        try skip(length)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let isWritten = bytes[start..<offset].withUnsafeBytes {
            inet_ntop(family, $0.baseAddress, &text, socklen_t(text.count)) != nil
        }
        guard isWritten else { throw .malformed }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private mutating func service() throws(DNSFailure) -> ServiceRecord {
        let priority = try number(bytes: 2)
        let weight = try number(bytes: 2)
        let port = try number(bytes: 2)
        guard let target = try name() else { throw .malformed }
        return ServiceRecord(priority: priority, weight: weight, port: port, target: target)
    }

    /// A name in lower case without the last dot; nil for one with characters that hosts' names do
    /// not have (RFC 1123, section 2.1, and the underscore).
    mutating func name() throws(DNSFailure) -> String? {
        var labels: [String] = []
        var isHost = true
        var length = 0
        var place = offset
        var start = offset
        var end: Int?
        while true {
            guard place < bytes.count else { throw .malformed }
            let head = Int(bytes[place])
            switch head {
            case 0:
                offset = end ?? place + 1
                return isHost ? labels.joined(separator: ".") : nil
            case 1...Bounds.label:
                guard place + 1 + head <= bytes.count else { throw .malformed }
                let label = bytes[(place + 1)...(place + head)]
                length += head + 1
                guard length < Bounds.name else { throw .malformed }
                isHost = isHost && label.allSatisfy(Self.isHostByte)
                labels.append(String(decoding: label, as: UTF8.self).lowercased())
                place += head + 1
            case Bounds.pointer...:
                guard place + 1 < bytes.count else { throw .malformed }
                let target = (head - Bounds.pointer) << 8 | Int(bytes[place + 1])
                length += 1
                // A pointer leads to before the part that it ends, hence never in a circle.
                guard target < start, length < Bounds.name else { throw .malformed }
                end = end ?? place + 2
                start = target
                place = target
            default: throw .malformed
            }
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }

    private enum Bounds {
        /// Bytes of a label.
        static let label = 63
        /// Bytes of a name; each pointer on its way counts as one, to end the way.
        static let name = 255
        /// The lowest byte that begins a pointer.
        static let pointer = 0xC0
    }
}
