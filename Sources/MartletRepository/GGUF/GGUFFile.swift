/// The header of one GGUF file, read and checked against the file's size.
///
/// The format is described in ggml's `docs/gguf.md`: four letters, a version, the numbers of
/// tensors and of keys, the keys with their values, the tensors' entries, and, from the next
/// multiple of the alignment on, the tensors' data.
struct GGUFFile {
    static let identifier = Array("GGUF".utf8)

    /// The versions that are read; 2 and 3 differ in that 3 may be big-endian.
    static let versions: ClosedRange<UInt32> = 2...3

    static let alignmentKey = "general.alignment"
    static let alignmentDefault = 32

    let metadata: GGUFMetadata
    let tensors: [GGUFTensor]

    /// Bytes before the tensors' data.
    let headerBytes: Int

    /// Reads and checks a file.
    ///
    /// - Throws: `GGUFFault`; what `source` throws.
    init(_ source: any PlacedBytes, limits: GGUFLimits = GGUFLimits()) throws {
        var reader = GGUFReader(source, limits: limits)
        try GGUFFile.checkStart(&reader)
        let tensorCount = try reader.count("tensors", limit: limits.tensors)
        let keyCount = try reader.count("keys", limit: limits.keys)
        // Counts that the file cannot hold are told apart at once, not after a walk to its end.
        let least =
            keyCount * GGUFMetadata.entryBytesMin + tensorCount * GGUFTensor.entryBytesMin
        guard least <= reader.remaining else {
            throw GGUFFault.cutOff(
                "\(keyCount) keys and \(tensorCount) tensors are not all in the file",
                at: reader.place)
        }
        metadata = try GGUFMetadata(&reader, count: keyCount)
        let alignment = try GGUFFile.alignment(metadata, limits: limits)
        tensors = try GGUFFile.tensors(&reader, count: tensorCount, alignment: alignment)
        let padding = (alignment - reader.place % alignment) % alignment
        headerBytes = reader.place + (tensors.isEmpty ? 0 : padding)
        try checkLayout(fileBytes: source.byteCount)
    }

    private static func checkStart(_ reader: inout GGUFReader) throws {
        guard reader.byteCount >= 4,
            try (0..<4).map({ _ in try reader.number(UInt8.self) }) == identifier
        else { throw GGUFFault.unsound("it does not begin with GGUF", at: 0) }
        let place = reader.place
        let version = try reader.number(UInt32.self)
        // The first versions fit in two bytes, so an empty lower half tells the order of bytes.
        guard version & 0xFFFF != 0 || version == 0 else {
            throw GGUFFault.unsound(
                "it is in the byte order of big-endian machines, which no engine here reads",
                at: place)
        }
        guard versions.contains(version) else {
            throw GGUFFault.unsound(
                "it is of version \(version) of the format; only \(versions.lowerBound) and "
                    + "\(versions.upperBound) are known", at: place)
        }
    }

    private static func alignment(_ metadata: GGUFMetadata, limits: GGUFLimits) throws -> Int {
        guard let value = metadata.values[alignmentKey] else { return alignmentDefault }
        guard case .integer(let stated, .uint32) = value, let alignment = Int(exactly: stated),
            alignment >= 8, alignment <= limits.alignment, alignment & (alignment - 1) == 0
        else {
            throw GGUFFault.unsound(
                "key '\(alignmentKey)' is no power of two from 8 to \(limits.alignment) "
                    + "in 32 bits without a sign")
        }
        return alignment
    }

    private static func tensors(
        _ reader: inout GGUFReader, count: Int, alignment: Int
    ) throws -> [GGUFTensor] {
        var names: Set<String> = []
        var tensors: [GGUFTensor] = []
        for _ in 0..<count {
            let start = reader.place
            let tensor = try GGUFTensor(&reader, alignment: alignment)
            guard names.insert(tensor.name).inserted else {
                throw GGUFFault.unsound("tensor '\(tensor.name.shown)' is there twice", at: start)
            }
            tensors.append(tensor)
        }
        return tensors
    }

    /// Tensors' data must be all in the file, each its own.
    private func checkLayout(fileBytes: Int) throws {
        var end = 0
        var last = ""
        for tensor in tensors.sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) })
        {
            guard tensor.offset >= end else {
                throw GGUFFault.unsound(
                    "the data of tensor '\(tensor.name.shown)' begins at \(tensor.offset), inside "
                        + "of tensor '\(last.shown)'")
            }
            let (next, overflows) = tensor.offset.addingReportingOverflow(tensor.byteCount)
            guard !overflows, next <= fileBytes - headerBytes else {
                throw GGUFFault.cutOff(
                    "the \(tensor.byteCount) bytes of tensor '\(tensor.name.shown)' at "
                        + "\(tensor.offset) are not all in the file, which has \(fileBytes) bytes, "
                        + "\(headerBytes) of them before the tensors", at: headerBytes)
            }
            (end, last) = (next, tensor.name)
        }
    }
}
