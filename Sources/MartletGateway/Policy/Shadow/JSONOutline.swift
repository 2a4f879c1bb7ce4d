/// A JSON text, checked and taken apart as far as two of them have to be compared: where each value
/// stands, and what it is.
///
/// Source: RFC 8259; and `NaN`, `Infinity` and `-Infinity`, which TensorFlow Serving's answers have
/// in them.
struct JSONOutline: Sendable {
    /// Bounds of a text.
    struct Limits: Sendable, Equatable {
        /// Deepest nesting.
        var depth = 64
        /// Most values and keys.
        var values = 4_000_000

        /// The defaults.
        init() {}
    }

    /// What a value is.
    enum Kind: String, Sendable {
        case null, boolean, number, text, list, object
    }

    /// A value, or the key in front of one.
    struct Entry: Sendable {
        let kind: Kind
        /// Where it stands; texts without their quotes.
        var bytes: Range<Int>
        /// Items, or keys.
        var count = 0
        /// The entry behind it and all that is in it.
        var next = 0
    }

    /// The text.
    let bytes: [UInt8]
    /// All values in their order, each key in front of its value; the first is the whole.
    let entries: [Entry]

    /// Nil if it is not JSON, or beyond a bound.
    init?(_ bytes: [UInt8], limits: Limits = Limits()) {
        var reader = JSONOutlineReader(bytes, limits: limits)
        guard reader.readAll() else { return nil }
        self.bytes = bytes
        entries = reader.entries
    }

    /// What stands there, as it stands.
    func raw(_ index: Int) -> ArraySlice<UInt8> { bytes[entries[index].bytes] }

    /// A text or key with escapes undone.
    func text(_ index: Int) -> String {
        let raw = raw(index)
        guard raw.contains(UInt8(ascii: "\\")) else { return String(decoding: raw, as: UTF8.self) }
        return JSONEscapes.undone(raw)
    }

    /// A number; infinite beyond what `Double` holds.
    func number(_ index: Int) -> Double {
        let text = String(decoding: raw(index), as: UTF8.self)
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: return Double(text) ?? .nan
        }
    }

    /// The indices of a list's items.
    func items(of list: Int) -> [Int] {
        var items: [Int] = []
        items.reserveCapacity(entries[list].count)
        var item = list + 1
        for _ in 0..<entries[list].count {
            items.append(item)
            item = entries[item].next
        }
        return items
    }

    /// The indices of an object's keys; the value is the entry behind.
    func keys(of object: Int) -> [Int] {
        var keys: [Int] = []
        keys.reserveCapacity(entries[object].count)
        var key = object + 1
        for _ in 0..<entries[object].count {
            keys.append(key)
            key = entries[key + 1].next
        }
        return keys
    }
}

/// Escapes in texts (RFC 8259, section 7).
private enum JSONEscapes {
    /// A text that was checked, without its escapes; halves of surrogates become U+FFFD.
    static func undone(_ raw: ArraySlice<UInt8>) -> String {
        var units: [UInt16] = []
        var rest = raw
        while let byte = rest.first {
            guard byte == UInt8(ascii: "\\") else {
                let plain = rest.prefix { $0 != UInt8(ascii: "\\") }
                units += Array(String(decoding: plain, as: UTF8.self).utf16)
                rest = rest.dropFirst(plain.count)
                continue
            }
            let letter = rest.dropFirst().first ?? 0
            if letter == UInt8(ascii: "u") {
                let digits = rest.dropFirst(2).prefix(4).compactMap(PathBytes.hexadecimal)
                units.append(digits.reduce(0) { $0 << 4 | UInt16($1) })
                rest = rest.dropFirst(6)
            } else {
                units.append(UInt16(meaning(of: letter)))
                rest = rest.dropFirst(2)
            }
        }
        return String(decoding: units, as: UTF16.self)
    }

    private static func meaning(of letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }
}
