/// Why bytes are no zip archive that is read here.
struct ZipFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The list of files in a zip archive (PKWARE's APPNOTE 6.3.10, section 4.3).
///
/// Only what wheels use is read: one file, no encryption, no Zip64, files stored or deflated.
struct ZipArchive {
    /// A file in the archive.
    struct Member {
        let name: String
        let isDeflated: Bool
        let crc: UInt32
        let packedBytes: Int
        let byteCount: Int
        /// Where its own head begins.
        fileprivate let head: Int
    }

    /// Most files in an archive.
    static let membersMax = 65_534

    /// Largest list of files in bytes.
    static let directoryBytesMax = 16 << 20

    private static let endBytes = 22
    private static let entryBytes = 46
    private static let headBytes = 30

    let members: [Member]
    private let file: any PlacedBytes
    /// Where the files end and their list begins.
    private let directory: Int

    /// Reads the list.
    ///
    /// - Throws: `ZipFault`; what the file throws.
    init(_ file: any PlacedBytes) throws {
        let end = try ZipArchive.end(of: file)
        guard end.bytes <= ZipArchive.directoryBytesMax, end.members <= ZipArchive.membersMax else {
            throw ZipFault("its list of \(end.members) files has \(end.bytes) bytes: too many")
        }
        var list = ZipFields(try ZipArchive.read(file, at: end.start, count: end.bytes))
        members = try (0..<end.members).map { _ in
            try ZipArchive.member(&list, below: end.start)
        }
        self.file = file
        directory = end.start
    }

    /// The record that ends the archive, which a comment may follow.
    private static func end(
        of file: any PlacedBytes
    ) throws -> (start: Int, bytes: Int, members: Int) {
        let window = min(file.byteCount, endBytes + Int(UInt16.max))
        let first = file.byteCount - window
        let tail = try read(file, at: first, count: window)
        let signature: [UInt8] = [0x50, 0x4B, 5, 6]
        var place = window - endBytes
        while place >= 0 {
            if tail[place..<(place + 4)].elementsEqual(signature) {
                var fields = ZipFields(Array(tail[place...].prefix(endBytes)))
                try fields.skip(8)
                let here = Int(try fields.number(UInt16.self))
                let members = Int(try fields.number(UInt16.self))
                let bytes = Int(try fields.number(UInt32.self))
                let start = Int(try fields.number(UInt32.self))
                let comment = Int(try fields.number(UInt16.self))
                // A comment may hold what looks like an end; the true one reaches to the file's.
                if place + endBytes + comment == window {
                    guard here == members, members < Int(UInt16.max), bytes < Int(UInt32.max),
                        start < Int(UInt32.max)
                    else {
                        throw ZipFault("it is in several files, or of Zip64, which is not read")
                    }
                    guard start + bytes == first + place else {
                        throw ZipFault("its list of files is not where its end says")
                    }
                    return (start, bytes, members)
                }
            }
            place -= 1
        }
        throw ZipFault("it does not end as a zip archive does")
    }

    private static func member(_ list: inout ZipFields, below directory: Int) throws -> Member {
        guard try list.number(UInt32.self) == 0x0201_4B50 else {
            throw ZipFault("its list of files is broken")
        }
        try list.skip(4)
        let flags = try list.number(UInt16.self)
        let method = try list.number(UInt16.self)
        try list.skip(4)
        let crc = try list.number(UInt32.self)
        let packedBytes = Int(try list.number(UInt32.self))
        let byteCount = Int(try list.number(UInt32.self))
        let nameBytes = Int(try list.number(UInt16.self))
        let extraBytes = Int(try list.number(UInt16.self))
        let commentBytes = Int(try list.number(UInt16.self))
        try list.skip(8)
        let head = Int(try list.number(UInt32.self))
        guard let name = String(validating: try list.take(nameBytes), as: UTF8.self) else {
            throw ZipFault("a file in it has a name that is no text")
        }
        try list.skip(extraBytes + commentBytes)
        let shown = "the file '\(name.shown)' in it"
        guard flags & 1 == 0, method == 0 || method == 8 else {
            throw ZipFault("\(shown) is encrypted or packed by method \(method)")
        }
        guard head <= directory - headBytes, packedBytes <= directory - headBytes - head,
            method == 8 || packedBytes == byteCount
        else { throw ZipFault("\(shown) is not all in the archive") }
        return Member(
            name: name, isDeflated: method == 8, crc: crc, packedBytes: packedBytes,
            byteCount: byteCount, head: head)
    }

    /// Unpacks a file piece by piece, and compares its size and checksum.
    ///
    /// - Throws: `ZipFault`; what `body` and the archive's file throw.
    func unpack(_ member: Member, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let start = try dataStart(of: member)
        let sink = try ZipSink(member)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { room.deallocate() }
        var done = 0
        while done < member.packedBytes {
            let wanted = UnsafeMutableRawBufferPointer(
                rebasing: room[..<min(room.count, member.packedBytes - done)])
            guard try file.read(at: start + done, into: wanted) == wanted.count else {
                throw ZipFault("it became shorter while it was read")
            }
            done += wanted.count
            try sink.take(UnsafeRawBufferPointer(wanted), body)
        }
        try sink.finish()
    }

    /// A file's head is repeated before its data; where the two disagree, readers would.
    private func dataStart(of member: Member) throws -> Int {
        var head = ZipFields(
            try ZipArchive.read(file, at: member.head, count: ZipArchive.headBytes))
        guard try head.number(UInt32.self) == 0x0403_4B50 else {
            throw ZipFault("the file '\(member.name.shown)' in it is not where the list says")
        }
        try head.skip(4)
        let method = try head.number(UInt16.self)
        try head.skip(16)
        let nameBytes = Int(try head.number(UInt16.self))
        let extraBytes = Int(try head.number(UInt16.self))
        let name = try ZipArchive.read(
            file, at: member.head + ZipArchive.headBytes, count: nameBytes)
        let start = member.head + ZipArchive.headBytes + nameBytes + extraBytes
        guard method == (member.isDeflated ? 8 : 0), name.elementsEqual(member.name.utf8),
            start <= directory - member.packedBytes
        else { throw ZipFault("the file '\(member.name.shown)' in it has two different heads") }
        return start
    }

    private static func read(_ file: any PlacedBytes, at place: Int, count: Int) throws -> [UInt8] {
        guard place >= 0, count >= 0, count <= file.byteCount - place else {
            throw ZipFault("what it speaks of at byte \(place) is not all in it")
        }
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { room, read in
            read = try file.read(at: place, into: UnsafeMutableRawBufferPointer(room))
        }
        guard bytes.count == count else { throw ZipFault("it became shorter while it was read") }
        return bytes
    }
}

/// Reads the numbers of a record, which are little-endian.
private struct ZipFields {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type
    ) throws -> Number {
        try take(MemoryLayout<Number>.size).reversed().reduce(0) { $0 << 8 | Number($1) }
    }

    mutating func skip(_ count: Int) throws { _ = try take(count) }

    mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw ZipFault("a record in it is cut off") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
