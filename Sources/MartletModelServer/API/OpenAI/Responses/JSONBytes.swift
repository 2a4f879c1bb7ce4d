import MartletCore
import MartletTensors

/// JSON written straight into bytes: an answer that streams writes an object for each token.
///
/// `JSONWriter` keeps levels and styles; here the callers write brackets and commas themselves.
extension [UInt8] {
    /// Appends a JSON string, or `null`.
    mutating func appendJSON(_ text: String?) {
        if let text {
            append(jsonString: text)
        } else {
            append(contentsOf: "null".utf8)
        }
    }

    /// Appends a JSON string of bytes that are UTF-8.
    mutating func appendJSON(utf8: [UInt8]) {
        append(UInt8(ascii: "\""))
        utf8.withUnsafeBufferPointer { append(jsonEscaped: $0) }
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
}
