/// A tensor of a GGUF file: where its data is, which is not read.
struct GGUFTensor {
    /// Fewest bytes of an entry: a length, a number of dimensions, a type and a place.
    static let entryBytesMin = 8 + 4 + 4 + 8

    /// Longest name in bytes; llama.cpp's own bound.
    static let nameBytesMax = 63

    /// Most dimensions; the format's own bound.
    static let rankMax = 4

    let name: String
    let type: GGUFTensorType
    /// Its dimensions, the one that lies together in memory first.
    let sizes: [Int]
    /// The product of its sizes.
    let elementCount: Int
    /// Bytes of its data.
    let byteCount: Int
    /// Where its data is, from the start of all tensors' data.
    let offset: Int

    /// Reads the next entry.
    init(_ reader: inout GGUFReader, alignment: Int) throws {
        name = try GGUFTensor.name(&reader)
        let shown = "tensor '\(name.shown)'"
        let sizes = try GGUFTensor.sizes(&reader, of: shown)
        let start = reader.place
        let number = try reader.number(UInt32.self)
        guard let type = GGUFTensorType(number: number) else {
            throw GGUFFault.unsound("\(shown) is of the unknown type \(number)", at: start)
        }
        self.type = type
        self.sizes = sizes
        guard (sizes.first ?? 1).isMultiple(of: type.blockElements) else {
            throw GGUFFault.unsound(
                "\(shown) has rows of \(sizes.first ?? 1) elements, no multiple of the "
                    + "\(type.blockElements) that \(type) stores together", at: start)
        }
        elementCount = try GGUFTensor.elementCount(sizes, of: shown, at: start)
        let (bytes, overflows) = (elementCount / type.blockElements)
            .multipliedReportingOverflow(by: type.blockBytes)
        guard !overflows else {
            throw GGUFFault.unsound("\(shown) has more bytes than can be counted", at: start)
        }
        byteCount = bytes
        let place = reader.place
        let stated = try reader.number(UInt64.self)
        guard let offset = Int(exactly: stated), offset.isMultiple(of: alignment) else {
            throw GGUFFault.unsound(
                "\(shown) begins at \(stated), which is no multiple of the alignment \(alignment)",
                at: place)
        }
        self.offset = offset
    }

    private static func name(_ reader: inout GGUFReader) throws -> String {
        let start = reader.place
        let length = try reader.textLength("a tensor's name")
        guard (1...nameBytesMax).contains(length) else {
            throw GGUFFault.unsound(
                "a tensor's name has \(length) bytes; 1 to \(nameBytesMax) are possible", at: start)
        }
        let bytes = try reader.bytes(length, "a tensor's name")
        guard let name = String(validating: bytes, as: UTF8.self), bytes.allSatisfy({ $0 >= 0x20 })
        else { throw GGUFFault.unsound("a tensor's name is no text", at: start) }
        return name
    }

    private static func sizes(_ reader: inout GGUFReader, of tensor: String) throws -> [Int] {
        let start = reader.place
        let rank = try reader.number(UInt32.self)
        guard rank <= rankMax else {
            throw GGUFFault.unsound(
                "\(tensor) has \(rank) dimensions; at most \(rankMax) are possible", at: start)
        }
        return try (0..<Int(rank)).map { _ in
            let place = reader.place
            let stated = try reader.number(UInt64.self)
            guard let size = Int(exactly: stated), size > 0 else {
                throw GGUFFault.unsound("\(tensor) has a dimension of \(stated)", at: place)
            }
            return size
        }
    }

    private static func elementCount(
        _ sizes: [Int], of tensor: String, at place: Int
    ) throws -> Int {
        try sizes.reduce(1) { count, size in
            let (product, overflows) = count.multipliedReportingOverflow(by: size)
            guard !overflows else {
                throw GGUFFault.unsound(
                    "\(tensor) has more elements than can be counted", at: place)
            }
            return product
        }
    }
}
