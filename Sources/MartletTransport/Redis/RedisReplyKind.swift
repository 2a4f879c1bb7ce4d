/// The type of a reply, by its first byte.
enum RedisReplyKind: UInt8 {
    case status = 0x2B  // +
    case error = 0x2D  // -
    case integer = 0x3A  // :
    case bytes = 0x24  // $
    case array = 0x2A  // *
    case null = 0x5F  // _
    case boolean = 0x23  // #
    case double = 0x2C  // ,
    case bigNumber = 0x28  // (
    case longError = 0x21  // !
    case verbatim = 0x3D  // =
    case map = 0x25  // %
    case set = 0x7E  // ~
    case push = 0x3E  // >
    case attribute = 0x7C  // |

    /// Whether the line says how many bytes follow.
    var hasLength: Bool {
        switch self {
        case .bytes, .longError, .verbatim: true
        default: false
        }
    }

    /// Whether the line says how many elements follow.
    var isAggregate: Bool {
        switch self {
        case .array, .map, .set, .push, .attribute: true
        default: false
        }
    }

    /// Whether a length of -1 is RESP2's null.
    var mayBeNull: Bool { self == .bytes || self == .array }

    /// The replies that one element is made of.
    var elementsEach: Int { self == .map || self == .attribute ? 2 : 1 }

    /// The reply whose line this is, of a type that is no longer than its line.
    func reply(line: ArraySlice<UInt8>) throws(RedisProtocolFault) -> RedisReply {
        switch self {
        case .status: return .status(String(decoding: line, as: UTF8.self))
        case .error: return .error(String(decoding: line, as: UTF8.self))
        case .integer: return .integer(try RedisNumberText.integer(line))
        case .double: return .double(try RedisNumberText.double(line))
        case .bigNumber: return .bigNumber(try RedisNumberText.bigNumber(line))
        case .null where line.isEmpty: return .null
        case .boolean where line.elementsEqual("t".utf8): return .boolean(true)
        case .boolean where line.elementsEqual("f".utf8): return .boolean(false)
        default: throw RedisProtocolFault("A null or boolean is written wrongly")
        }
    }

    /// The reply whose bytes these are, of a type with a length.
    func reply(content: [UInt8]) throws(RedisProtocolFault) -> RedisReply {
        switch self {
        case .longError: return .error(String(decoding: content, as: UTF8.self))
        case .verbatim:
            // Three letters say how the text is to be shown.
            guard content.count >= 4, content[3] == UInt8(ascii: ":") else {
                throw RedisProtocolFault("A verbatim string has no format")
            }
            return .bytes(Array(content[4...]))
        default: return .bytes(content)
        }
    }
}

/// Reads numbers as the protocol writes them, and nothing else that a number can be written as.
enum RedisNumberText {
    /// A count of bytes or elements; nil for -1 where that is the null.
    static func length(
        _ text: ArraySlice<UInt8>, orNull mayBeNull: Bool
    ) throws(RedisProtocolFault) -> Int? {
        if mayBeNull, text.elementsEqual("-1".utf8) { return nil }
        guard let magnitude = magnitude(text), let length = Int(exactly: magnitude) else {
            throw RedisProtocolFault("A length is no number")
        }
        return length
    }

    static func integer(_ text: ArraySlice<UInt8>) throws(RedisProtocolFault) -> Int64 {
        let (isNegative, digits) = sign(text)
        if let magnitude = magnitude(digits) {
            if isNegative, magnitude == Int64.min.magnitude { return .min }
            if let value = Int64(exactly: magnitude) { return isNegative ? -value : value }
        }
        throw RedisProtocolFault("An integer is no number of 64 bits")
    }

    static func double(_ text: ArraySlice<UInt8>) throws(RedisProtocolFault) -> Double {
        switch String(decoding: text, as: UTF8.self) {
        case "inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        case let number:
            guard text.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }),
                let value = Double(number)
            else { throw RedisProtocolFault("A double is no number") }
            return value
        }
    }

    static func bigNumber(_ text: ArraySlice<UInt8>) throws(RedisProtocolFault) -> String {
        let digits = sign(text).digits
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw RedisProtocolFault("A big number is no number")
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func sign(
        _ text: ArraySlice<UInt8>
    ) -> (isNegative: Bool, digits: ArraySlice<UInt8>) {
        switch text.first {
        case UInt8(ascii: "-"): (true, text.dropFirst())
        case UInt8(ascii: "+"): (false, text.dropFirst())
        default: (false, text)
        }
    }

    private static func magnitude(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = shifted.addingReportingOverflow(UInt64(digit - 0x30))
            guard !overflows, !overflowsToo else { return nil }
            value = sum
        }
        return value
    }
}
