import CZlib

/// A zip archive, to be written as sound or as wrong as a test wants it.
struct ZipSample {
    struct Member {
        var name: String
        var content: [UInt8]
        var isDeflated = true
        /// What the archive states in place of the truth.
        var crc: UInt32?
        var byteCount: UInt32?
        var packed: [UInt8]?
        var flags: UInt16 = 0
        var method: UInt16?
        var nameInHead: String?
        var head: UInt32?
    }

    var members: [Member]
    var comment: [UInt8] = []
    /// What the end states in place of the truth.
    var memberCount: UInt16?
    var directoryBytes: UInt32?

    init(_ files: [(String, [UInt8])], isDeflated: Bool = true) {
        members = files.map { Member(name: $0.0, content: $0.1, isDeflated: isDeflated) }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        var list: [UInt8] = []
        for member in members {
            let head = member.head ?? UInt32(bytes.count)
            let packed =
                member.packed ?? (member.isDeflated ? deflated(member.content) : member.content)
            let method = member.method ?? (member.isDeflated ? 8 : 0)
            let crc = member.crc ?? UInt32(crc32(0, member.content, UInt32(member.content.count)))
            let sizes =
                little(crc) + little(UInt32(packed.count))
                + little(member.byteCount ?? UInt32(member.content.count))
            let inHead = Array((member.nameInHead ?? member.name).utf8)
            bytes += [0x50, 0x4B, 3, 4] + little(UInt16(20)) + little(member.flags)
            bytes += little(method) + [0, 0, 0, 0] + sizes
            bytes += little(UInt16(inHead.count)) + little(UInt16(4)) + inHead + [9, 9, 0, 0]
            bytes += packed
            let name = Array(member.name.utf8)
            list += [0x50, 0x4B, 1, 2] + little(UInt16(20)) + little(UInt16(20))
            list += little(member.flags) + little(method) + [0, 0, 0, 0] + sizes
            list += little(UInt16(name.count)) + little(UInt16(0)) + little(UInt16(0))
            list += [UInt8](repeating: 0, count: 8) + little(head) + name
        }
        let count = memberCount ?? UInt16(members.count)
        let end =
            [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(count) + little(count)
            + little(directoryBytes ?? UInt32(list.count)) + little(UInt32(bytes.count))
            + little(UInt16(comment.count)) + comment
        return bytes + list + end
    }

    private func deflated(_ content: [UInt8]) -> [UInt8] {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        deflateInit2_(
            stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(stream) }
        var content = content
        let room = content.count + 1024
        return [UInt8](unsafeUninitializedCapacity: room) { output, count in
            content.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(room)
                deflate(stream, Z_FINISH)
                count = room - Int(stream.pointee.avail_out)
            }
        }
    }
}
