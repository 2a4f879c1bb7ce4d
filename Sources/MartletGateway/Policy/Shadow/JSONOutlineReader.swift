/// Reads a JSON text into the entries of an outline.
struct JSONOutlineReader {
    private(set) var entries: [JSONOutline.Entry] = []

    private let bytes: [UInt8]
    private let limits: JSONOutline.Limits
    private var position = 0

    init(_ bytes: [UInt8], limits: JSONOutline.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Reads the whole; false if it is not JSON, or beyond a bound.
    mutating func readAll() -> Bool {
        guard readValue(depth: 1) else { return false }
        skipBlanks()
        return position == bytes.count
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = current, [0x20, 0x0A, 0x0D, 0x09].contains(byte) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func readValue(depth: Int) -> Bool {
        skipBlanks()
        guard depth <= limits.depth, entries.count < limits.values, let byte = current else {
            return false
        }
        switch byte {
        case UInt8(ascii: "{"): return readObject(depth: depth)
        case UInt8(ascii: "["): return readList(depth: depth)
        case UInt8(ascii: "\""): return readText()
        case UInt8(ascii: "t"): return readWord("true", .boolean)
        case UInt8(ascii: "f"): return readWord("false", .boolean)
        case UInt8(ascii: "n"): return readWord("null", .null)
        case UInt8(ascii: "N"): return readWord("NaN", .number)
        case UInt8(ascii: "I"): return readWord("Infinity", .number)
        default:
            let isInfinite = bytes[position...].starts(with: "-I".utf8)
            return isInfinite ? readWord("-Infinity", .number) : readNumber()
        }
    }

    private mutating func readList(depth: Int) -> Bool {
        let index = begin(.list)
        skipBlanks()
        if take(UInt8(ascii: "]")) { return end(index, count: 0) }
        var count = 0
        while true {
            guard readValue(depth: depth + 1) else { return false }
            count += 1
            skipBlanks()
            if take(UInt8(ascii: "]")) { return end(index, count: count) }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    private mutating func readObject(depth: Int) -> Bool {
        let index = begin(.object)
        skipBlanks()
        if take(UInt8(ascii: "}")) { return end(index, count: 0) }
        var count = 0
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\""), readText() else { return false }
            skipBlanks()
            guard take(UInt8(ascii: ":")), readValue(depth: depth + 1) else { return false }
            count += 1
            skipBlanks()
            if take(UInt8(ascii: "}")) { return end(index, count: count) }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    private mutating func begin(_ kind: JSONOutline.Kind) -> Int {
        entries.append(.init(kind: kind, bytes: position..<position))
        position += 1
        return entries.count - 1
    }

    private mutating func end(_ index: Int, count: Int) -> Bool {
        entries[index].bytes = entries[index].bytes.lowerBound..<position
        entries[index].count = count
        entries[index].next = entries.count
        return true
    }

    private mutating func append(_ kind: JSONOutline.Kind, _ range: Range<Int>) -> Bool {
        guard entries.count < limits.values else { return false }
        entries.append(.init(kind: kind, bytes: range, next: entries.count + 1))
        return true
    }

    private mutating func readWord(_ word: StaticString, _ kind: JSONOutline.Kind) -> Bool {
        let end = position + word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        guard matches else { return false }
        defer { position = end }
        return append(kind, position..<end)
    }

    private mutating func readText() -> Bool {
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { return false }
            position += 1
            guard byte == UInt8(ascii: "\\") else { continue }
            guard let letter = current, "\"\\/bfnrtu".utf8.contains(letter) else { return false }
            position += 1
            guard letter == UInt8(ascii: "u") else { continue }
            let digits = bytes[position...].prefix(4)
            guard digits.count == 4, digits.allSatisfy({ PathBytes.hexadecimal($0) != nil }) else {
                return false
            }
            position += 4
        }
        let end = position
        return take(UInt8(ascii: "\"")) && append(.text, start..<end)
    }

    private mutating func readNumber() -> Bool {
        let start = position
        _ = take(UInt8(ascii: "-"))
        guard take(UInt8(ascii: "0")) || readDigits() else { return false }
        if take(UInt8(ascii: ".")), !readDigits() { return false }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            guard readDigits() else { return false }
        }
        return append(.number, start..<position)
    }

    /// Reads one digit or more.
    private mutating func readDigits() -> Bool {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }
}
