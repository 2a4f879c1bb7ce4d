/// What a Redis server answers, in the types of RESP2 and RESP3.
///
/// Both protocols' nulls are ``null``. A server's "no" to a command is never one of these: it is a
/// ``RedisFailure``; ``error(_:)`` stands only inside arrays, such as those that scripts return.
public indirect enum RedisReply: Sendable, Hashable {
    /// A key of a map and its value.
    public struct Pair: Sendable, Hashable {
        /// The key; any reply can be one.
        public let key: RedisReply

        /// The value.
        public let value: RedisReply

        /// Creates a pair.
        public init(_ key: RedisReply, _ value: RedisReply) {
            self.key = key
            self.value = value
        }
    }

    /// Nothing: a key that is not there, for one.
    case null
    /// Yes or no (RESP3).
    case boolean(Bool)
    /// A whole number of 64 bits.
    case integer(Int64)
    /// A number with a fraction; may be infinite or not a number (RESP3).
    case double(Double)
    /// A whole number of any size, in decimal digits (RESP3).
    case bigNumber(String)
    /// A short status, such as `OK`.
    case status(String)
    /// A string of any bytes.
    case bytes([UInt8])
    /// What went wrong, as the server puts it: a code in capitals and a sentence.
    case error(String)
    /// Replies in order.
    case array([RedisReply])
    /// Replies without an order, as they came (RESP3).
    case set([RedisReply])
    /// Keys and values, as they came (RESP3).
    case map([Pair])
    /// News that belong to no command (RESP3); a client never hands one out.
    case push([RedisReply])
}

extension RedisReply {
    /// The bytes of a string or status; nil for anything else.
    public var bytes: [UInt8]? {
        switch self {
        case .bytes(let bytes): bytes
        case .status(let text): Array(text.utf8)
        default: nil
        }
    }

    /// The text of a string or status; nil for anything else and for bytes that are not UTF-8.
    public var text: String? {
        switch self {
        case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    /// The whole number; nil for anything else.
    public var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// The elements of an array or set; nil for anything else.
    public var elements: [RedisReply]? {
        switch self {
        case .array(let elements), .set(let elements): elements
        default: nil
        }
    }

    /// Whether this is the null of either protocol.
    public var isNull: Bool { self == .null }
}
