import Logging

/// Lines that native code prints to standard error, put together from the pieces that arrive.
struct ForeignLines {
    /// Longer lines are passed on in parts.
    static let lineBytesLimit = LogLine.fieldBytesLimit

    private var rest: [UInt8] = []

    /// Takes what was printed.
    ///
    /// - Returns: the lines that are whole now, without their ends; empty ones are left out.
    mutating func append(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines += finish()
            } else {
                rest.append(byte)
                if rest.count == Self.lineBytesLimit { lines += finish() }
            }
        }
        return lines
    }

    /// Gives the line that has begun; none if there is none.
    mutating func finish() -> [String] {
        defer { rest.removeAll(keepingCapacity: true) }
        return rest.isEmpty ? [] : [String(decoding: rest, as: UTF8.self)]
    }

    /// How much a line matters, by the forms of the engines' logs.
    ///
    /// `warning` if it has none of them: who prints to standard error wants to be read.
    static func level(of line: String) -> Logger.Level {
        levelOfTensorFlow(line) ?? levelOfAbseil(line) ?? levelOfLiteRT(line) ?? .warning
    }

    /// As in `2026-11-29 12:00:00.000001: E tensorflow/core/...`.
    private static func levelOfTensorFlow(_ line: String) -> Logger.Level? {
        let bytes = Array(line.utf8.prefix(30))
        guard bytes.count == 30, bytes[4] == UInt8(ascii: "-"), bytes[26] == UInt8(ascii: ":"),
            bytes[27] == UInt8(ascii: " "), bytes[29] == UInt8(ascii: " ")
        else { return nil }
        return level(letter: bytes[28])
    }

    /// As in `E0000 00:00:1700000000.000001    4711 file.cc:12] ...`.
    private static func levelOfAbseil(_ line: String) -> Logger.Level? {
        let bytes = Array(line.utf8.prefix(6))
        guard bytes.count == 6, bytes[5] == UInt8(ascii: " "),
            bytes[1..<5].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return level(letter: bytes[0])
    }

    /// As in `ERROR: ...`.
    private static func levelOfLiteRT(_ line: String) -> Logger.Level? {
        for (prefix, level) in [
            ("VERBOSE: ", Logger.Level.debug), ("INFO: ", .info), ("WARNING: ", .warning),
            ("ERROR: ", .error),
        ] where line.hasPrefix(prefix) {
            return level
        }
        return nil
    }

    private static func level(letter: UInt8) -> Logger.Level? {
        switch letter {
        case UInt8(ascii: "I"): .info
        case UInt8(ascii: "W"): .warning
        case UInt8(ascii: "E"): .error
        case UInt8(ascii: "F"): .critical
        default: nil
        }
    }
}
