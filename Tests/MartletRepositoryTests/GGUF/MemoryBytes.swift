@testable import MartletRepository

/// A file in memory, which counts what is asked of it.
final class MemoryBytes: PlacedBytes {
    private let bytes: [UInt8]
    /// What the file claims to have; reads beyond what it has find nothing.
    let byteCount: Int
    private(set) var readBytes = 0
    private(set) var largestRead = 0

    init(_ bytes: [UInt8], claiming byteCount: Int? = nil) {
        self.bytes = bytes
        self.byteCount = byteCount ?? bytes.count
    }

    func read(at place: Int, into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = max(0, min(room.count, bytes.count - place))
        if count > 0 { room.copyBytes(from: bytes[place..<(place + count)]) }
        readBytes += count
        largestRead = max(largestRead, room.count)
        return count
    }
}

extension GGUFFile {
    /// Reads a file in memory.
    init(_ sample: GGUFSample, limits: GGUFLimits = GGUFLimits()) throws {
        try self.init(MemoryBytes(sample.bytes()), limits: limits)
    }
}
