/// Finds the ends of JSON's strings, numbers and words in a text, strictly by RFC 8259.
///
/// Whether strings are UTF-8 is not looked at: their bytes are only compared.
struct JSONScanner {
    /// A string, number or word.
    struct Token {
        /// Where it is in the text, quotes included.
        let range: Range<Int>
        /// Whether it is written in ASCII without escapes.
        var isPlain = true
    }

    /// The text.
    let text: [UInt8]
    /// Where the byte to come is.
    private(set) var position = 0

    init(_ text: [UInt8]) { self.text = text }

    /// The byte to come; nil at the end.
    var next: UInt8? { position < text.count ? text[position] : nil }

    /// Goes past the byte to come.
    mutating func skip() { position += 1 }

    /// Goes past white space.
    mutating func skipSpace() {
        while let byte = next, JSONScanner.isSpace(byte) { position += 1 }
    }

    /// Goes past a string, number or word; nil if there is none.
    mutating func scanScalar() -> Token? {
        switch next {
        case UInt8(ascii: "\""): scanString()
        case UInt8(ascii: "t"): scanWord("true")
        case UInt8(ascii: "f"): scanWord("false")
        case UInt8(ascii: "n"): scanWord("null")
        default: scanNumber()
        }
    }

    /// Goes past a string; nil if there is none.
    mutating func scanString() -> Token? {
        guard next == UInt8(ascii: "\"") else { return nil }
        let start = position
        var isPlain = true
        position += 1
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return Token(range: start..<position, isPlain: isPlain)
            case UInt8(ascii: "\\"):
                isPlain = false
                guard skipEscape() else { return nil }
            case ..<0x20: return nil
            case 0x80...: isPlain = false
            default: break
            }
        }
        return nil
    }

    /// Goes past what follows a backslash.
    private mutating func skipEscape() -> Bool {
        guard let kind = next else { return false }
        position += 1
        guard kind == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(kind) }
        for _ in 0..<4 {
            guard let digit = next, JSONScanner.isHexadecimal(digit) else { return false }
            position += 1
        }
        return true
    }

    private mutating func scanWord(_ word: StaticString) -> Token? {
        let start = position
        let matches = word.withUTF8Buffer { expected in
            text[start...].starts(with: expected)
        }
        guard matches else { return nil }
        position += word.utf8CodeUnitCount
        return Token(range: start..<position)
    }

    private mutating func scanNumber() -> Token? {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") {
            position += 1
        } else if !skipDigits() {
            return nil
        }
        if next == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() else { return nil }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() else { return nil }
        }
        return Token(range: start..<position)
    }

    /// Goes past digits; false if there is none.
    private mutating func skipDigits() -> Bool {
        let start = position
        while let byte = next, byte &- 0x30 < 10 { position += 1 }
        return position > start
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6
    }
}
