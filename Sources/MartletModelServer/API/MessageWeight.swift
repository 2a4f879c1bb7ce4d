/// What a message takes in memory for being made of many parts, beside its bytes.
///
/// It is counted before the message is decoded, and stops at a bound.
struct MessageWeight {
    /// What a message within a message takes, in bytes, however little it holds.
    static let part = 96
    /// What any other field takes.
    static let field = 24
    /// Bytes of the shortest field on the wire.
    private static let fieldBytesMin = 2

    /// Bytes that may still be taken; negative once it is too much.
    private var rest: Int

    /// Whether a message weighs more than `maximum` bytes.
    ///
    /// What is no message is left to the decoder, which says what is wrong with it.
    static func exceeds(_ maximum: Int, _ message: [UInt8], _ outline: MessageOutline) -> Bool {
        // Most messages are too small to weigh that much, whatever they are made of.
        guard message.count / fieldBytesMin > maximum / part else { return false }
        return message.withUnsafeBytes { bytes in
            var weight = MessageWeight(rest: maximum)
            weight.add(bytes, outline)
            return weight.rest < 0
        }
    }

    private init(rest: Int) {
        self.rest = rest
    }

    /// Outlines are no deeper than they are written, so this ends soon.
    private mutating func add(_ bytes: UnsafeRawBufferPointer, _ outline: MessageOutline) {
        var fields = MessageFields(bytes)
        while rest >= 0, let field = fields.next() {
            if let part = field.bytes, let outline = outline.part(field.number) {
                rest -= Self.part
                add(part, outline)
            } else {
                rest -= Self.field
            }
        }
    }
}

/// Which fields of a message are messages themselves.
struct MessageOutline: Sendable {
    /// A message without messages.
    static let leaf = MessageOutline([:])

    /// By number, so that looking one up costs nothing.
    private let parts: [MessageOutline?]

    init(_ parts: [Int: MessageOutline]) {
        self.parts = (0...(parts.keys.max() ?? 0)).map { parts[$0] }
    }

    func part(_ number: UInt64) -> MessageOutline? {
        number < UInt64(parts.count) ? parts[Int(number)] : nil
    }
}
