import CZlib

/// Compresses whole bodies.
enum Gzip {
    /// The library's fastest level: the others cost a node more time than they save on the wire.
    private static let level: Int32 = 1

    /// Compresses bytes in gzip's format.
    ///
    /// It takes about 10 ms for each MiB: never on an event loop.
    ///
    /// - Returns: what came out; nil where that is not smaller, or the library cannot do it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard let count = UInt32(exactly: bytes.count) else { return nil }
        // The library's state points back to this structure, so it must not move.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer {
            stream.deinitialize(count: 1)
            stream.deallocate()
        }
        // 15 is the format's largest window; 16 more asks for gzip's frame instead of zlib's.
        let result = deflateInit2_(
            stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { return nil }
        defer { deflateEnd(stream) }
        var isComplete = false
        let output = [UInt8](unsafeUninitializedCapacity: bytes.count) { room, written in
            bytes.withUnsafeBufferPointer { input in
                // The library reads only, though its interface does not say so.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = count
                stream.pointee.next_out = room.baseAddress
                stream.pointee.avail_out = count
                isComplete = deflate(stream, Z_FINISH) == Z_STREAM_END
                written = isComplete ? bytes.count - Int(stream.pointee.avail_out) : 0
            }
        }
        return isComplete ? output : nil
    }
}
