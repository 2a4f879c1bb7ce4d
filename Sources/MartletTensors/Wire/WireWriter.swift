import MartletCore

/// Writes the fields of protobuf messages, whose sizes are told beforehand.
struct WireWriter {
    /// How the value of a field is written.
    enum Kind: Int {
        case varint = 0
        case bytes = 2
    }

    private(set) var bytes: [UInt8] = []

    /// Makes a writer for so many bytes.
    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Bytes that a number takes.
    static func size(ofVarint value: UInt64) -> Int {
        (63 - (value | 1).leadingZeroBitCount) / 7 + 1
    }

    /// Bytes that a field takes whose value has so many bytes.
    static func size(ofField number: Int, bytes count: Int) -> Int {
        size(ofVarint: UInt64(number << 3)) + size(ofVarint: UInt64(count)) + count
    }

    /// Bytes that a text takes as a field; an empty one is left out.
    static func size(ofField number: Int, text: String) -> Int {
        text.isEmpty ? 0 : size(ofField: number, bytes: text.utf8.count)
    }

    mutating func varint(_ value: UInt64) { bytes.append(varint: value) }

    mutating func tag(_ number: Int, _ kind: Kind) {
        varint(UInt64(number << 3 | kind.rawValue))
    }

    /// Begins a field whose value, written next, has so many bytes.
    mutating func begin(_ number: Int, bytes count: Int) {
        tag(number, .bytes)
        varint(UInt64(count))
    }

    /// Writes a text, unless it is empty.
    mutating func text(_ number: Int, _ text: String) {
        guard !text.isEmpty else { return }
        begin(number, bytes: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func raw(_ values: [UInt8]) { bytes.append(contentsOf: values) }
}
