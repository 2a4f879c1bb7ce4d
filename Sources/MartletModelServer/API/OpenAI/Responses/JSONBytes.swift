import MartletTensors

/// JSON written straight into bytes: an answer that streams writes an object for each token.
///
/// `JSONWriter` keeps levels and styles; here the callers write brackets and commas themselves.
extension [UInt8] {
    /// Appends a JSON string, or `null`.
    mutating func appendJSON(_ text: String?) {
        guard var text else {
            append(contentsOf: "null".utf8)
            return
        }
        append(UInt8(ascii: "\""))
        text.withUTF8 { appendEscaped($0) }
        append(UInt8(ascii: "\""))
    }

    /// Appends a JSON string of bytes that are UTF-8.
    mutating func appendJSON(utf8: [UInt8]) {
        append(UInt8(ascii: "\""))
        utf8.withUnsafeBufferPointer { appendEscaped($0) }
        append(UInt8(ascii: "\""))
    }

    /// Appends a JSON string of any bytes; what is not UTF-8 is written as U+FFFD.
    mutating func appendJSON(lossy bytes: [UInt8]) {
        if bytes.allSatisfy({ $0 < 0x80 }) {
            appendJSON(utf8: bytes)
        } else {
            appendJSON(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// Appends a whole number.
    mutating func appendJSON(_ number: Int) {
        // An index of a choice or of a token's rank is one digit as a rule.
        if (0...9).contains(number) {
            append(UInt8(ascii: "0") + UInt8(number))
        } else {
            append(contentsOf: String(number).utf8)
        }
    }

    /// Appends a number, the shortest that reads back equal; JSON has no infinity and no NaN, so
    /// those are written as `null`.
    mutating func appendJSON<Number: BinaryFloatingPoint & LosslessStringConvertible>(
        _ number: Number
    ) {
        append(contentsOf: (number.isFinite ? number.description : "null").utf8)
    }

    /// Appends `true` or `false`.
    mutating func appendJSON(_ flag: Bool) {
        append(contentsOf: (flag ? "true" : "false").utf8)
    }

    /// Appends a list.
    mutating func appendJSON<Item>(
        list: some Sequence<Item>, _ append: (inout [UInt8], Item) -> Void
    ) {
        self.append(UInt8(ascii: "["))
        var isFirst = true
        for item in list {
            if !isFirst { self.append(UInt8(ascii: ",")) }
            isFirst = false
            append(&self, item)
        }
        self.append(UInt8(ascii: "]"))
    }

    /// Appends a parsed value, compactly and its members in their order.
    ///
    /// Recursion is as deep as the value, which its parser bounded.
    mutating func appendJSON(_ value: JSONValue) {
        switch value {
        case .null: append(contentsOf: "null".utf8)
        case .bool(let flag): appendJSON(flag)
        case .integer(let number): append(contentsOf: String(number).utf8)
        case .number(let number): appendJSON(number)
        case .text(let text): appendJSON(text)
        case .list(let elements): appendJSON(list: elements) { $0.appendJSON($1) }
        case .object(let members):
            append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                appendJSON(member.name)
                append(UInt8(ascii: ":"))
                appendJSON(member.value)
            }
            append(UInt8(ascii: "}"))
        }
    }

    // MARK: Escapes

    /// Appends what stands between the quotes: runs that need no escape as they are.
    private mutating func appendEscaped(_ utf8: UnsafeBufferPointer<UInt8>) {
        var clean = 0
        for index in utf8.indices {
            let byte = utf8[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: utf8[clean..<index]))
            appendEscape(of: byte)
            clean = index + 1
        }
        append(contentsOf: UnsafeBufferPointer(rebasing: utf8[clean...]))
    }

    private mutating func appendEscape(of byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0..<0x20:
            append(contentsOf: "u00".utf8)
            append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let low = byte & 15
            append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        default: append(byte)
        }
    }
}
