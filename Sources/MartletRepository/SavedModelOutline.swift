import MartletCore

/// A serialized SavedModel without its constants, whose shapes were looked at.
///
/// TensorFlow ends the process where it meets a shape that no tensor can have, and takes whatever
/// memory a constant asks for. And the constants can be gigabytes, which nobody here reads.
struct SavedModelOutline {
    /// Most elements of a constant.
    static let maximumElements = Int64(Int32.max)

    /// Deepest nesting of messages; the decoder of the rest of the file has the same bound.
    private static let maximumDepth = 100

    /// The kinds of messages on the way to a shape.
    private enum Kind {
        case model, metaGraph, graph, library, function, node, setting, value, list, reference
        case tensor, variant, shape, dimension

        /// The kind of the messages in a field; `nil` for a field that leads to no shape.
        func child(_ field: UInt64) -> Kind? {
            switch (self, field) {
            case (.model, 2): .metaGraph
            case (.metaGraph, 2): .graph
            case (.graph, 1), (.function, 3): .node
            case (.graph, 2): .library
            case (.library, 1): .function
            case (.node, 5), (.function, 5), (.reference, 2): .setting
            case (.setting, 2): .value
            case (.value, 1): .list
            case (.value, 7), (.list, 7), (.tensor, 2): .shape
            case (.value, 8), (.list, 8), (.variant, 3): .tensor
            case (.value, 10), (.list, 9): .reference
            case (.tensor, 15): .variant
            case (.shape, 2): .dimension
            default: nil
            }
        }

        /// Whether each message is one of its own, where others that come twice are merged, so that
        /// their dimensions add up.
        func isSeparate(in parent: Kind) -> Bool {
            self == .setting || parent == .list || parent == .variant
        }
    }

    /// The file without the contents of constants.
    private(set) var bytes: [UInt8] = []

    /// Looks through a file.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the first shape found; a
    ///   ``ProtobufScanner/Broken`` for what is no SavedModel.
    init(_ file: UnsafeRawBufferPointer) throws {
        var elements = ElementCount()
        bytes = try Self.outline(.model, ProtobufScanner(file[...]), depth: 0, &elements)
    }

    private static func outline(
        _ kind: Kind, _ message: ProtobufScanner, depth: Int, _ elements: inout ElementCount
    ) throws -> [UInt8] {
        guard depth < maximumDepth else { throw ProtobufScanner.Broken() }
        var bytes: [UInt8] = []
        var scanner = message
        while let field = try scanner.next() {
            if kind == .dimension, field.number == 1 {
                try elements.multiply(by: Int64(bitPattern: field.integer))
            }
            guard let child = kind.child(field.number), let content = field.content else {
                bytes += field.raw
                continue
            }
            var own = child.isSeparate(in: kind) ? ElementCount() : elements
            if child == .tensor { own.maximum = maximumElements }
            let inner = try outline(child, content, depth: depth + 1, &own)
            if !child.isSeparate(in: kind) { elements = own }
            guard child != .tensor else { continue }
            bytes += ProtobufScanner.message(field.number, inner)
        }
        return bytes
    }
}

/// Counts the elements of a shape, step by step.
struct ElementCount {
    /// The most there may be.
    var maximum = Int64.max {
        didSet { isAbove = isAbove || count > maximum }
    }

    private(set) var count: Int64 = 1
    private var isAbove = false

    /// Adds a dimension; -1 stands for an unknown one.
    ///
    /// A dimension of 0 counts as 1: TensorFlow multiplies in order and fails before it gets there.
    mutating func multiply(by dimension: Int64) throws {
        guard dimension >= -1 else {
            throw ServingError.invalidArgument("A shape has a dimension of size \(dimension)")
        }
        let (product, overflows) = count.multipliedReportingOverflow(by: max(dimension, 1))
        guard !overflows, product <= maximum, !isAbove else {
            throw ServingError.invalidArgument(
                "A shape has more than \(maximum) elements, which no tensor can have here")
        }
        count = product
    }
}

/// Walks over the fields of a serialized message without copying any.
struct ProtobufScanner {
    /// The message is none: a decoder that went on would see what was not looked at.
    struct Broken: Error {}

    /// A field: an integer, or content that may be a message.
    struct Field {
        let number: UInt64
        var integer: UInt64 = 0
        var content: ProtobufScanner?
        /// All of it, as it stands in the message.
        var raw = Slice(base: UnsafeRawBufferPointer(start: nil, count: 0), bounds: 0..<0)
    }

    private var rest: Slice<UnsafeRawBufferPointer>

    /// What was not walked over yet.
    var bytes: Slice<UnsafeRawBufferPointer> { rest }

    init(_ bytes: Slice<UnsafeRawBufferPointer>) {
        rest = bytes
    }

    /// The next field; `nil` at the end.
    ///
    /// - Throws: ``Broken``.
    mutating func next() throws -> Field? {
        guard !rest.isEmpty else { return nil }
        let start = rest
        let tag = try varint()
        var field = Field(number: tag >> 3)
        switch tag & 7 {
        case 0: field.integer = try varint()
        case 1: _ = try take(8)
        case 2: field.content = ProtobufScanner(try take(try varint()))
        case 5: _ = try take(4)
        // Groups: TensorFlow's messages have none.
        default: throw Broken()
        }
        field.raw = start[..<rest.startIndex]
        return field
    }

    /// A field that holds a message, or a string.
    static func message(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
        [UInt8](varint: field << 3 | 2) + [UInt8](varint: UInt64(content.count)) + content
    }

    private mutating func take(_ count: UInt64) throws -> Slice<UnsafeRawBufferPointer> {
        guard count <= UInt64(rest.count) else { throw Broken() }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Broken() }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw Broken()
    }
}
