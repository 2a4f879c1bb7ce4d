internal import Foundation
import MartletCore

/// Bytes of a file, read where they are wanted.
protocol PlacedBytes {
    /// The size of the file.
    var byteCount: Int { get }

    /// Reads from a place on into all of `room`; returns how many bytes there were.
    func read(at place: Int, into room: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A file on disk, of which only what is asked for is read.
///
/// It is read and not mapped: a mapped file that somebody shortens ends the process.
final class FileBytes: PlacedBytes {
    let byteCount: Int
    private let descriptor: Int32
    private let path: String

    /// Opens a file.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND` where it cannot be opened, `INVALID_ARGUMENT` for a
    ///   folder, pipe or device.
    init(path: String) throws {
        // Without the flag, opening a pipe waits for its other end.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw ServingError.notFound(
                "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard let status = OpenFileStatus(descriptor: descriptor), status.isRegular else {
            close(descriptor)
            throw ServingError.invalidArgument("\(path) is not a file")
        }
        self.descriptor = descriptor
        self.path = path
        byteCount = status.size
    }

    deinit { close(descriptor) }

    func read(at place: Int, into room: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let start = room.baseAddress else { return 0 }
        var done = 0
        while done < room.count {
            let count = pread(descriptor, start + done, room.count - done, place + done)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw ServingError(
                    .dataLoss, "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            done += count
        }
        return done
    }
}
