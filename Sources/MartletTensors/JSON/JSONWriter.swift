import MartletCore

/// Writes JSON text into bytes, in the layouts TensorFlow Serving's clients know.
///
/// The caller keeps the order of calls right: `key` before each value of an object.
public struct JSONWriter {
    /// How arrays and objects are laid out.
    public enum Style: Sendable {
        /// Four spaces; one element of an array a line (RapidJSON's `PrettyWriter`).
        case pretty
        /// One space, as protobuf's JSON printer lays out.
        case protobuf
        /// Everything on one line, without spaces.
        case compact
    }

    private struct Level {
        var isArray: Bool
        var count = 0
    }

    /// The text so far, UTF-8.
    public private(set) var bytes: [UInt8] = []

    /// Whether arrays begun or continued now stay on one line, as in row-format predictions.
    public var keepsArraysOnOneLine = false

    private let style: Style
    private var levels: [Level] = []
    private var afterKey = false

    /// Creates a writer.
    public init(style: Style = .pretty, reservingCapacity capacity: Int = 256) {
        self.style = style
        bytes.reserveCapacity(capacity)
    }

    /// Begins an object.
    public mutating func beginObject() { begin(isArray: false) }

    /// Begins an array.
    public mutating func beginArray() { begin(isArray: true) }

    /// Ends the object begun last.
    public mutating func endObject() { end(UInt8(ascii: "}")) }

    /// Ends the array begun last.
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// Writes the name of the member whose value comes next.
    public mutating func key(_ name: String) {
        separate()
        appendQuoted(name)
        append(style == .compact ? ":" : ": ")
        afterKey = true
    }

    /// Writes a string from UTF-8 bytes; what is not UTF-8 is written as U+FFFD.
    public mutating func string(utf8: [UInt8]) {
        separate()
        appendQuoted(String(decoding: utf8, as: UTF8.self))
    }

    /// Writes a string.
    public mutating func string(_ text: String) {
        separate()
        appendQuoted(text)
    }

    /// Writes a whole number.
    public mutating func integer(_ value: some BinaryInteger) {
        separate()
        append(String(value))
    }

    /// Writes `true` or `false`.
    public mutating func bool(_ value: Bool) {
        separate()
        append(value ? "true" : "false")
    }

    /// Writes a number so that it reads back equal: whole ones with `.0`, and `NaN`, `Infinity`
    /// and `-Infinity` as TensorFlow Serving does.
    public mutating func decimal<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ value: Value
    ) {
        separate()
        if value.isNaN {
            append("NaN")
        } else if value.isInfinite {
            append(value < 0 ? "-Infinity" : "Infinity")
        } else {
            append(value.description)
        }
    }

    // MARK: Layout

    private mutating func begin(isArray: Bool) {
        separate()
        bytes.append(UInt8(ascii: isArray ? "[" : "{"))
        levels.append(Level(isArray: isArray))
    }

    private mutating func end(_ bracket: UInt8) {
        guard let level = levels.popLast() else { return }
        let staysOnLine = level.isArray && keepsArraysOnOneLine
        if level.count > 0, !staysOnLine { newLine() }
        bytes.append(bracket)
    }

    private mutating func separate() {
        if afterKey {
            afterKey = false
            return
        }
        guard let level = levels.last else { return }
        if level.count > 0 { bytes.append(UInt8(ascii: ",")) }
        if level.isArray, keepsArraysOnOneLine {
            if level.count > 0 { bytes.append(UInt8(ascii: " ")) }
        } else {
            newLine()
        }
        levels[levels.count - 1].count += 1
    }

    private mutating func newLine() {
        guard style != .compact else { return }
        bytes.append(UInt8(ascii: "\n"))
        let width = style == .pretty ? 4 : 1
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: levels.count * width))
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(jsonString: text, uppercase: true)
    }
}
