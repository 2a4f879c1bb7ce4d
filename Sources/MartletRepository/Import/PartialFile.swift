internal import Foundation
import MartletCore

/// A file that grows until it is complete, over several runs of the program if need be.
///
/// It is called `NAME.partial`; beside it, `NAME.origin` says what it is a part of.
final class PartialFile {
    /// Longest description of an origin.
    private static let originBytesMax = 64 << 10
    private static let windowBytes = 1 << 20

    /// The name of the file once it is complete.
    let name: String
    private(set) var byteCount = 0

    private let folder: OpenFolder
    private let descriptor: Int32
    private var sum = SHA256Summing()

    private var partialName: String { name + ".partial" }
    private static func originName(_ name: String) -> String { name + ".origin" }

    /// Opens what there is of a file, or begins it.
    ///
    /// - Parameters:
    ///   - name: its name once it is complete.
    ///   - folder: where it is.
    ///   - origin: what it is a part of.
    ///   - isVerified: whether its sum will be compared, so that bytes of an origin that cannot be
    ///     told from another's may be continued.
    /// - Throws: `ServingError` where the system refuses.
    init(_ name: String, in folder: OpenFolder, of origin: ModelOrigin, isVerified: Bool) throws {
        self.name = name
        self.folder = folder
        descriptor = try folder.file(name + ".partial")
        let isSame = try PartialFile.origin(in: folder, of: name) == PartialFile.text(origin)
        let isContinued =
            try isSame && (isVerified || origin.tag != nil) && sumUp(atMost: origin.byteCount)
        if !isContinued { try begin(origin) }
    }

    deinit { close(descriptor) }

    /// The sum of all that is written.
    var checksum: SHA256Checksum { sum.checksum }

    /// The path, to read it by.
    var path: String { "\(folder.path)/\(partialName)" }

    /// Puts bytes behind what is written.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count, let start = bytes.baseAddress {
            let count = pwrite(descriptor, start + done, bytes.count - done, byteCount)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("written") }
            sum.add(UnsafeRawBufferPointer(rebasing: bytes[done..<(done + count)]))
            done += count
            byteCount += count
        }
    }

    /// Gives it its name, once it is on disk.
    func complete() throws {
        guard fsync(descriptor) == 0 else { throw failure("written") }
        try folder.rename(partialName, to: folder, as: name)
        try folder.remove(PartialFile.originName(name))
    }

    /// Removes it.
    func discard() throws {
        try folder.remove(partialName)
        try folder.remove(PartialFile.originName(name))
    }

    /// Sums up what is there; `false` if that is more than there can be.
    private func sumUp(atMost byteCountMax: Int) throws -> Bool {
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: PartialFile.windowBytes, alignment: 16)
        defer { room.deallocate() }
        while byteCount <= byteCountMax {
            let count = pread(descriptor, room.baseAddress, room.count, byteCount)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read") }
            guard count > 0 else { return true }
            sum.add(UnsafeRawBufferPointer(rebasing: room[..<count]))
            byteCount += count
        }
        return false
    }

    private static func text(_ origin: ModelOrigin) -> [UInt8] {
        Array("\(origin.location)\n\(origin.byteCount)\n\(origin.tag ?? "")\n".utf8)
    }

    private static func origin(in folder: OpenFolder, of name: String) throws -> [UInt8] {
        let file = try folder.file(originName(name))
        defer { close(file) }
        return [UInt8](unsafeUninitializedCapacity: originBytesMax) { buffer, count in
            count = max(0, pread(file, buffer.baseAddress, originBytesMax, 0))
        }
    }

    /// Empties it, and only then says what it will be a part of.
    private func begin(_ origin: ModelOrigin) throws {
        sum = SHA256Summing()
        byteCount = 0
        guard ftruncate(descriptor, 0) == 0, fsync(descriptor) == 0 else {
            throw failure("emptied")
        }
        let text = PartialFile.text(origin)
        let file = try folder.file(PartialFile.originName(name))
        defer { close(file) }
        guard text.count < PartialFile.originBytesMax, ftruncate(file, 0) == 0,
            pwrite(file, text, text.count, 0) == text.count
        else { throw failure("begun") }
    }

    private func failure(_ what: String) -> ServingError {
        let code: StatusCode =
            errno == ENOSPC || errno == EDQUOT ? .resourceExhausted : .internal
        return ServingError(
            code, "\(path) cannot be \(what): \(String(cString: strerror(errno)))")
    }
}
