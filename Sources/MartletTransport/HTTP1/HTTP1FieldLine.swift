/// A header field's line, taken apart (RFC 9112, section 5).
struct HTTP1FieldLine {
    let name: Range<Int>
    let value: Range<Int>

    /// Reads a line, without its end.
    init(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTP1Fault) {
        var index = line.lowerBound
        while index < line.upperBound, HTTP1Characters.isToken(bytes[index]) { index += 1 }
        guard index < line.upperBound, bytes[index] == HTTP1Characters.colon,
            index > line.lowerBound
        else { throw HTTP1FieldLine.fault(bytes, line, at: index) }
        name = line.lowerBound..<index
        value = bytes.trimmed(index + 1..<line.upperBound)
        guard bytes.isFieldContent(value) else {
            throw .malformed("The value of \(bytes.text(name)) has forbidden characters")
        }
    }

    /// What is wrong with a line whose name ends at `index` without a colon.
    private static func fault(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, at index: Int
    ) -> HTTP1Fault {
        guard index < line.upperBound else { return .malformed("A header field has no colon") }
        guard HTTP1Characters.isBlank(bytes[index]) else {
            return .malformed("The name of a header field is empty or has forbidden characters")
        }
        return .malformed(
            index == line.lowerBound
                ? "A header field is folded or begins with a blank"
                : "There is a blank in front of a header field's colon")
    }
}

/// `host` and `host:port` (RFC 3986, section 3.2).
enum HTTP1Authority {
    static func isValid(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        if index < range.upperBound, bytes[index] == UInt8(ascii: "[") {
            index += 1
            let start = index
            while index < range.upperBound, isAddress(bytes[index]) { index += 1 }
            guard index > start, index < range.upperBound, bytes[index] == UInt8(ascii: "]") else {
                return false
            }
            index += 1
        } else {
            while index < range.upperBound, HTTP1Characters.isHostName(bytes[index]) { index += 1 }
        }
        guard index < range.upperBound else { return true }
        guard bytes[index] == HTTP1Characters.colon else { return false }
        let port = index + 1..<range.upperBound
        return port.count <= 5 && port.allSatisfy { HTTP1Characters.isDigit(bytes[$0]) }
    }

    /// Within the brackets of an IPv6 address, or of those to come.
    private static func isAddress(_ byte: UInt8) -> Bool {
        byte == HTTP1Characters.colon || HTTP1Characters.isHostName(byte)
    }
}
