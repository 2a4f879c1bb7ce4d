/// Strings of JSON (RFC 8259, section 7), written straight into bytes.
extension [UInt8] {
    /// Appends what stands between the quotes of a string of JSON.
    ///
    /// - Parameters:
    ///   - utf8: the text.
    ///   - uppercase: how the digits of `\u001F` are written; TensorFlow Serving has large ones.
    public mutating func append(
        jsonEscaped utf8: UnsafeBufferPointer<UInt8>, uppercase: Bool = false
    ) {
        // Runs that need no escape are copied in one go: most text is one.
        var clean = 0
        for index in utf8.indices {
            let byte = utf8[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: utf8[clean..<index]))
            append(jsonEscape: byte, uppercase)
            clean = index + 1
        }
        append(contentsOf: UnsafeBufferPointer(rebasing: utf8[clean...]))
    }

    /// Appends a text as a string of JSON, with its quotes.
    public mutating func append(jsonString text: String, uppercase: Bool = false) {
        var text = text
        append(UInt8(ascii: "\""))
        text.withUTF8 { append(jsonEscaped: $0, uppercase: uppercase) }
        append(UInt8(ascii: "\""))
    }

    private mutating func append(jsonEscape byte: UInt8, _ uppercase: Bool) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0..<0x20:
            append(contentsOf: "u00".utf8)
            append(UInt8(ascii: "0") + (byte >> 4))
            let low = byte & 15
            let letters = UInt8(ascii: uppercase ? "A" : "a")
            append(low < 10 ? UInt8(ascii: "0") + low : letters + low - 10)
        default: append(byte)
        }
    }
}
