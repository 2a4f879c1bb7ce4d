/// The types of metadata values, by the format's numbers.
enum GGUFValueType: UInt32, CaseIterable {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64
    case float64

    /// Bytes of a value; `nil` where they vary.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// Whether its values are whole numbers or truth values.
    var isWhole: Bool {
        switch self {
        case .float32, .float64, .string, .array: false
        default: true
        }
    }
}

/// A value of the metadata.
enum GGUFValue: Equatable {
    /// A whole number, and the type that it has in the file, which engines may insist on.
    case integer(Int64, GGUFValueType)
    /// One that is beyond 63 bits.
    case huge(UInt64)
    /// One of 32 bits.
    case float(Double)
    /// One of 64 bits.
    case double(Double)
    case truth(Bool)
    case text(String)
    /// A text that is no UTF-8, or longer than what is kept.
    case bytes(count: Int, isTooLong: Bool)
    case list(GGUFList)

    /// What kind of value this is, for messages.
    var kind: String {
        switch self {
        case .integer: "a whole number"
        case .huge: "a number beyond 63 bits"
        case .float, .double: "a number"
        case .truth: "a truth value"
        case .text: "text"
        case .bytes(let count, true): "a text of \(count) bytes, which is too long"
        case .bytes: "a text that is not UTF-8"
        case .list(let list): "a list of \(list.count)"
        }
    }
}

/// A list in the metadata, most of which is not kept.
struct GGUFList: Equatable {
    let type: GGUFValueType
    let count: Int
    /// Its elements, where they are whole and few.
    let integers: [Int64]?
    /// Where its first element is.
    let place: Int
}
