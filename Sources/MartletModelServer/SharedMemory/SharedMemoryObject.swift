internal import Foundation
import MartletCore
import MartletRepository

/// An open shared memory object.
///
/// It is read and written through its file and never mapped: whoever made it may cut it short at
/// any time, and touching a page that is gone would end the process.
final class SharedMemoryObject: Sendable {
    /// Bytes that are copied at once; a signal may cut a copy short.
    private static let chunkBytes = 1 << 30

    private let descriptor: Int32
    /// Whether it may be written to.
    let isWritable: Bool

    /// Opens an object, only for reading where this process may do no more.
    ///
    /// - Throws: `ServingError` that says why it cannot be opened.
    init(_ key: SharedMemoryKey) throws {
        // What lies in the folder may be a pipe, for which nobody is to wait.
        let flags = O_CLOEXEC | O_NONBLOCK
        var opened = shm_open(key.path, O_RDWR | flags, 0)
        let isWritable = opened >= 0
        if opened < 0, errno == EACCES { opened = shm_open(key.path, O_RDONLY | flags, 0) }
        guard opened >= 0 else { throw SharedMemoryObject.unopened(key, errno) }
        guard OpenFileStatus(descriptor: opened)?.isRegular == true else {
            close(opened)
            throw ServingError.invalidArgument("'\(key.path)' is not shared memory")
        }
        self.isWritable = isWritable
        descriptor = opened
    }

    private static func unopened(_ key: SharedMemoryKey, _ error: Int32) -> ServingError {
        let code: StatusCode =
            switch error {
            case ENOENT: .notFound
            case EACCES: .permissionDenied
            case EMFILE, ENFILE: .resourceExhausted
            default: .invalidArgument
            }
        return ServingError(
            code,
            "Unable to open shared memory region: '\(key.path)': "
                + String(cString: strerror(error)))
    }

    deinit { close(descriptor) }

    /// Its size now, in bytes.
    var byteCount: Int { OpenFileStatus(descriptor: descriptor)?.size ?? 0 }

    /// Copies bytes out; the caller has checked that memory may be taken for so many.
    ///
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) when it has become shorter.
    func read(_ count: Int, at offset: Int) throws -> [UInt8] {
        // Checked first, so that a claim alone does not make us allocate.
        guard count <= byteCount - offset else { throw SharedMemoryObject.short }
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let part = min(rest.count, SharedMemoryObject.chunkBytes)
                let done = pread(descriptor, rest.baseAddress, part, off_t(offset + filled))
                if done < 0, errno == EINTR { continue }
                guard done > 0 else { return }
                filled += done
            }
        }
        guard bytes.count == count else { throw SharedMemoryObject.short }
        return bytes
    }

    /// Copies bytes in.
    ///
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) when it has become shorter, or there is no
    ///   memory behind it.
    func write(_ bytes: [UInt8], at offset: Int) throws {
        // Writing behind the end would make it longer again.
        guard bytes.count <= byteCount - offset else { throw SharedMemoryObject.short }
        try bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
                let part = min(rest.count, SharedMemoryObject.chunkBytes)
                let done = pwrite(descriptor, rest.baseAddress, part, off_t(offset + written))
                if done < 0, errno == EINTR { continue }
                guard done > 0 else {
                    throw ServingError(
                        .failedPrecondition,
                        "Writing to shared memory failed: \(String(cString: strerror(errno)))")
                }
                written += done
            }
        }
    }

    private static let short = ServingError(
        .failedPrecondition, "The shared memory has become shorter since it was registered")
}
