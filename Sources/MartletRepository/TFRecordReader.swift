internal import Foundation
import MartletCore

/// Reads the records of a TFRecord file one after the other.
///
/// Nothing is allocated for a record that the file cannot hold, and each is checked against its
/// checksum.
public final class TFRecordReader {
    /// The largest record read unless another limit is given: that of protobuf messages.
    public static let defaultMaximumRecordBytes = Int(Int32.max)

    private let file: FileHandle
    private let fileBytes: Int
    private let maximumRecordBytes: Int
    private var offset = 0

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - maximumRecordBytes: the largest record that is read.
    /// - Throws: `ServingError`: `NOT_FOUND` when it cannot be opened, `INVALID_ARGUMENT` when it
    ///   is no regular file.
    public init(
        path: String, maximumRecordBytes: Int = TFRecordReader.defaultMaximumRecordBytes
    ) throws {
        // Opening a pipe would otherwise wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw ServingError.notFound("\(path) cannot be read: \(reason)")
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        guard let status = OpenFileStatus(descriptor: descriptor), status.isRegular else {
            throw ServingError.invalidArgument("\(path) is not a regular file")
        }
        fileBytes = status.size
        self.maximumRecordBytes = min(
            max(0, maximumRecordBytes), Int.max - TFRecordFraming.overheadBytes)
    }

    /// The next record; `nil` at the end of the file.
    ///
    /// - Throws: `ServingError`: `DATA_LOSS` with TensorFlow's messages when the file is cut off or
    ///   corrupt, `RESOURCE_EXHAUSTED` for a record over the limit.
    public func next() throws -> [UInt8]? {
        let header = try read(TFRecordFraming.headerBytes)
        guard !header.isEmpty else { return nil }
        try check(header, count: TFRecordFraming.headerBytes - TFRecordFraming.footerBytes)
        let length: UInt64 = TFRecordFraming.number(header.prefix(8))
        guard length <= UInt64(maximumRecordBytes) else {
            throw ServingError(
                .resourceExhausted,
                "record at \(offset) has \(length) bytes; the limit is \(maximumRecordBytes)")
        }
        let start = offset
        offset += TFRecordFraming.headerBytes
        let count = Int(length) + TFRecordFraming.footerBytes
        guard fileBytes > offset else {
            throw ServingError(.dataLoss, "truncated record at \(start)")
        }
        guard count <= fileBytes - offset else {
            throw ServingError(.dataLoss, "truncated record at \(offset)")
        }
        var record = try read(count)
        try check(record, count: Int(length))
        record.removeLast(TFRecordFraming.footerBytes)
        offset += count
        return record
    }

    /// Checks that `count` bytes and their checksum are there.
    private func check(_ bytes: [UInt8], count: Int) throws {
        guard bytes.count == count + TFRecordFraming.footerBytes else {
            throw ServingError(.dataLoss, "truncated record at \(offset)")
        }
        let stored: UInt32 = TFRecordFraming.number(bytes[count...])
        guard TFRecordChecksum.masked(bytes[..<count]) == stored else {
            throw ServingError(.dataLoss, "corrupted record at \(offset)")
        }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        do {
            return try file.read(upToCount: count).map { [UInt8]($0) } ?? []
        } catch {
            throw ServingError(.dataLoss, "record at \(offset) cannot be read", cause: error)
        }
    }
}
