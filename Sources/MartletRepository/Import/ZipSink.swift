internal import CZlib

/// Takes the packed bytes of one file of a zip archive and gives out what they hold.
///
/// Nothing is given out beyond the size that the archive states, so that no archive expands to
/// more than what was allowed by its list.
final class ZipSink {
    private static let roomBytes = 1 << 20

    private let member: ZipArchive.Member
    // The library's state points back to this structure, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let room: UnsafeMutableRawBufferPointer
    private var byteCount = 0
    private var crc: UInt
    private var isAtEnd: Bool

    init(_ member: ZipArchive.Member) throws {
        self.member = member
        crc = crc32(0, nil, 0)
        isAtEnd = !member.isDeflated
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        room = .allocate(byteCount: ZipSink.roomBytes, alignment: 16)
        // A negative number asks for no frame around the data; 15 is the largest window.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(stream, -15, ZLIB_VERSION, size) == Z_OK else {
            throw ZipFault("there is no memory to unpack it")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
        room.deallocate()
    }

    /// Takes the next packed bytes.
    func take(
        _ packed: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard member.isDeflated else { return try give(packed, body) }
        guard !isAtEnd else { throw fault("has bytes behind its end") }
        // The library reads only, though its interface does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: packed.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: packed.count)
        defer { stream.pointee.next_in = nil }
        repeat {
            stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(clamping: room.count)
            let result = inflate(stream, Z_NO_FLUSH)
            let count = room.count - Int(stream.pointee.avail_out)
            try give(UnsafeRawBufferPointer(rebasing: room[..<count]), body)
            switch result {
            case Z_OK: break
            case Z_STREAM_END:
                isAtEnd = true
                guard stream.pointee.avail_in == 0 else { throw fault("has bytes behind its end") }
                return
            // All input is used up, and all output given out.
            case Z_BUF_ERROR: return
            default: throw fault("cannot be unpacked")
            }
        } while stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
    }

    /// Compares what came out with what the archive states.
    func finish() throws {
        guard isAtEnd, byteCount == member.byteCount else {
            throw fault("has \(byteCount) bytes, not \(member.byteCount)")
        }
        guard crc == UInt(member.crc) else { throw fault("does not have the checksum stated") }
    }

    private func give(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard bytes.count <= member.byteCount - byteCount else {
            throw fault("has more than the \(member.byteCount) bytes stated")
        }
        guard !bytes.isEmpty else { return }
        byteCount += bytes.count
        crc = crc32(
            crc, bytes.bindMemory(to: UInt8.self).baseAddress, UInt32(clamping: bytes.count))
        try body(bytes)
    }

    private func fault(_ what: String) -> ZipFault {
        ZipFault("the file '\(member.name.shown)' in it \(what)")
    }
}
