/// The classes of characters of RFC 9110 and RFC 3986, as bits.
enum HTTP1Characters {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3A

    /// Whether a byte may be in a method or a field's name (RFC 9110, section 5.6.2).
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        isIn(byte, 0x03ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe)
    }

    /// Whether a byte may be in the name of a host (RFC 3986, section 3.2.2).
    static func isHostName(_ byte: UInt8) -> Bool {
        isIn(byte, 0x2bff_7ff2_0000_0000, 0x47ff_fffe_87ff_fffe)
    }

    /// Whether a byte may be in a request's target.
    ///
    /// What RFC 3986 wants encoded, but can mean only itself, does no harm.
    @inline(__always)
    static func isTarget(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
    }

    /// Whether a byte may be in a field's value (RFC 9110, section 5.5).
    @inline(__always)
    static func isFieldContent(_ byte: UInt8) -> Bool {
        byte >= 0x20 ? byte != 0x7F : byte == tab
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit.
    static func hexadecimal(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }

    @inline(__always)
    private static func isIn(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        let bits = byte < 64 ? low : byte < 128 ? high : 0
        return bits >> UInt64(byte & 63) & 1 == 1
    }
}

/// Places in the bytes of a head or of trailers; every range lies within the bytes.
extension UnsafeRawBufferPointer {
    /// Whether all bytes may be in a field's value: eight at a time, as most are.
    func isFieldContent(_ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index + 8 <= range.upperBound {
            let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if UnsafeRawBufferPointer.mayHaveControls(word) {
                guard self[index..<index + 8].allSatisfy(HTTP1Characters.isFieldContent) else {
                    return false
                }
            }
            index += 8
        }
        return self[index..<range.upperBound].allSatisfy(HTTP1Characters.isFieldContent)
    }

    /// Whether one of eight bytes is below the space, or is DEL.
    @inline(__always)
    private static func mayHaveControls(_ word: UInt64) -> Bool {
        let tops: UInt64 = 0x8080_8080_8080_8080
        let below = (word &- 0x2020_2020_2020_2020) & ~word & tops
        let other = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let isDelete = (other &- 0x0101_0101_0101_0101) & ~other & tops
        return below | isDelete != 0
    }

    /// Whether a range spells `text`, which is of small letters, digits and hyphens, in upper or
    /// lower case; the range has to be of token characters.
    func spells(_ text: StaticString, _ range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let letters = text.utf8Start
        for (offset, index) in range.enumerated() {
            guard self[index] | 0x20 == letters[offset] else { return false }
        }
        return true
    }

    /// Whether two ranges are the same but for upper and lower case.
    func isSame(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).allSatisfy { left, right in
            HTTP1Head.lowercased(self[left]) == HTTP1Head.lowercased(self[right])
        }
    }

    /// A range without the spaces and tabs around it.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, HTTP1Characters.isBlank(self[start]) { start += 1 }
        while end > start, HTTP1Characters.isBlank(self[end - 1]) { end -= 1 }
        return start..<end
    }

    /// A text out of the bytes.
    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: self[range]), as: UTF8.self)
    }

    /// Calls for each member of a comma-separated list, without the blanks around it; members may
    /// be empty.
    func forEachMember(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        for index in range where self[index] == UInt8(ascii: ",") {
            body(trimmed(start..<index))
            start = index + 1
        }
        body(trimmed(start..<range.upperBound))
    }
}
