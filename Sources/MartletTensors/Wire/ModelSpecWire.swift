/// TensorFlow Serving's `ModelSpec`: which model, version and signature.
public struct ModelSpecWire: Sendable, Equatable {
    /// The model's name; empty when none is given.
    public var name = ""

    /// The version's number, if one is named.
    public var version: Int64?

    /// The version's label, if one is named.
    public var label: String?

    /// The signature's name; empty when none is given.
    public var signatureName = ""

    /// Creates a spec that names nothing.
    public init() {}

    /// Creates the spec of what has answered.
    public init(name: String, version: Int64, signatureName: String) {
        self.name = name
        self.version = version
        self.signatureName = signatureName
    }

    private enum Field {
        static let name = 1
        static let version = 2
        static let signatureName = 3
        static let label = 4
        /// `Int64Value.value`.
        static let wrapped = 1
    }

    /// Reads a message; `throws` for what is left to another decoder.
    init(_ bytes: UnsafeRawBufferPointer) throws {
        var message = WireMessage(bytes)
        var seen = 0
        while let (number, value) = try message.next() {
            guard number <= 4, seen & 1 << number == 0, case .bytes(let bytes) = value else {
                throw WireFault()
            }
            seen |= 1 << number
            switch Int(number) {
            case Field.name: name = try String(wire: bytes)
            case Field.version: version = try ModelSpecWire.number(bytes)
            case Field.signatureName: signatureName = try String(wire: bytes)
            default: label = try String(wire: bytes)
            }
        }
        // Of the two the last one counts.
        guard version == nil || label == nil else { throw WireFault() }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer) throws -> Int64 {
        var message = WireMessage(bytes)
        var result: Int64 = 0
        while let (number, value) = try message.next() {
            guard number == Field.wrapped, case .varint(let raw) = value else { throw WireFault() }
            result = Int64(bitPattern: raw)
        }
        return result
    }

    /// Bytes of the message.
    var byteCount: Int {
        let version = version.map {
            WireWriter.size(ofField: Field.version, bytes: ModelSpecWire.bytes($0))
        }
        return WireWriter.size(ofField: Field.name, text: name) + (version ?? 0)
            + WireWriter.size(ofField: Field.signatureName, text: signatureName)
            + WireWriter.size(ofField: Field.label, text: label ?? "")
    }

    /// Writes the message.
    func write(to writer: inout WireWriter) {
        writer.text(Field.name, name)
        if let version {
            writer.begin(Field.version, bytes: ModelSpecWire.bytes(version))
            if version != 0 {
                writer.tag(Field.wrapped, .varint)
                writer.varint(UInt64(bitPattern: version))
            }
        }
        writer.text(Field.signatureName, signatureName)
        writer.text(Field.label, label ?? "")
    }

    private static func bytes(_ version: Int64) -> Int {
        version == 0 ? 0 : 1 + WireWriter.size(ofVarint: UInt64(bitPattern: version))
    }
}

extension String {
    /// A text of a message.
    ///
    /// - Throws: ``WireFault`` when it is not UTF-8.
    init(wire bytes: UnsafeRawBufferPointer) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw WireFault() }
        self = text
    }
}
