/// A place that moves through the header of a GGUF file, with every length checked before memory
/// is taken for it.
///
/// Numbers are little-endian; a text is its length in eight bytes and then its bytes.
struct GGUFReader {
    /// Most bytes read at once, and held.
    static let windowBytes = 64 << 10

    let limits: GGUFLimits
    private let source: any PlacedBytes
    private let room: GGUFWindow

    /// The next byte's place.
    private(set) var place = 0

    /// Bytes that were kept of what has been read.
    private var keptBytes = 0

    init(_ source: any PlacedBytes, limits: GGUFLimits) {
        self.source = source
        self.limits = limits
        room = GGUFWindow(bytes: min(GGUFReader.windowBytes, max(source.byteCount, 1)))
    }

    /// The size of the file.
    var byteCount: Int { source.byteCount }

    /// Bytes from here to the end of the file.
    var remaining: Int { source.byteCount - place }

    /// The next number.
    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self
    ) throws -> Number {
        let size = MemoryLayout<Number>.size
        let offset = try ensure(size)
        place += size
        return Number(
            littleEndian: UnsafeRawBufferPointer(room.bytes)
                .loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A count or length, which is never more than `limit`.
    mutating func count(_ what: @autoclosure () -> String, limit: Int) throws -> Int {
        let start = place
        let number = try number(UInt64.self)
        guard let count = Int(exactly: number), count <= limit else {
            throw GGUFFault.unsound("\(number) \(what()); the limit is \(limit)", at: start)
        }
        return count
    }

    /// The length of the text that comes next, which is all in the file.
    mutating func textLength(_ what: @autoclosure () -> String) throws -> Int {
        let start = place
        let number = try number(UInt64.self)
        guard let length = Int(exactly: number), length <= remaining else {
            throw GGUFFault.cutOff("\(what()) of \(number) bytes is not all in the file", at: start)
        }
        return length
    }

    /// Passes over bytes without reading them.
    mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws {
        guard count >= 0, count <= remaining else {
            throw GGUFFault.cutOff("\(what()) of \(count) bytes is not all in the file", at: place)
        }
        place += count
        try checkHeader()
    }

    /// The next bytes, which are kept.
    mutating func bytes(_ count: Int, _ what: @autoclosure () -> String) throws -> [UInt8] {
        try keep(count)
        guard count > room.bytes.count else {
            let offset = try ensure(count)
            place += count
            return Array(room.bytes[offset..<(offset + count)])
        }
        let start = place
        try skip(count, what())
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try source.read(at: start, into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard bytes.count == count else {
            throw GGUFFault.cutOff("the file became shorter while it was read", at: start)
        }
        return bytes
    }

    /// Passes over a text; returns its hash, `nil` where it is empty or longer than a window.
    mutating func textHash(_ count: Int, _ what: @autoclosure () -> String) throws -> Int? {
        guard (1...room.bytes.count).contains(count) else {
            try skip(count, what())
            return nil
        }
        let offset = try ensure(count)
        place += count
        try checkHeader()
        var hasher = Hasher()
        hasher.combine(
            bytes: UnsafeRawBufferPointer(rebasing: room.bytes[offset..<(offset + count)]))
        return hasher.finalize()
    }

    /// Counts bytes that are kept.
    mutating func keep(_ count: Int) throws {
        guard count <= limits.keptBytes - keptBytes else {
            throw GGUFFault.unsound(
                "its keys, names and texts have more than \(limits.keptBytes) bytes", at: place)
        }
        keptBytes += count
    }

    /// Has so many bytes, no more than a window, ready; returns where in the window they are.
    private mutating func ensure(_ count: Int) throws -> Int {
        if place >= room.start, place - room.start <= room.count - count {
            return place - room.start
        }
        guard remaining >= count else { throw GGUFFault.cutOff("the file ends", at: place) }
        try checkHeader()
        room.start = place
        room.count = 0
        room.count = try source.read(
            at: place, into: UnsafeMutableRawBufferPointer(rebasing: room.bytes[...]))
        guard room.count >= count else {
            throw GGUFFault.cutOff("the file became shorter while it was read", at: place)
        }
        return 0
    }

    private func checkHeader() throws {
        guard place <= limits.headerBytes else {
            throw GGUFFault.unsound(
                "its header has more than \(limits.headerBytes) bytes", at: place)
        }
    }
}

/// The bytes that a reader has at hand.
private final class GGUFWindow {
    let bytes: UnsafeMutableRawBufferPointer
    /// The place in the file of the first.
    var start = 0
    /// How many are read.
    var count = 0

    init(bytes count: Int) {
        bytes = .allocate(byteCount: count, alignment: 16)
    }

    deinit { bytes.deallocate() }
}
