internal import Foundation

/// What the system says of an open file.
///
/// Asked here for other rooms, too: where more of the system's headers are imported, the compiler
/// does not agree with itself from which of them `stat` comes.
public struct OpenFileStatus: Sendable {
    /// Its size in bytes.
    public let size: Int

    /// Names that it has; none once it was removed.
    public let linkCount: Int

    /// Whether it is neither a folder, a pipe nor a device.
    public let isRegular: Bool

    /// Asks for the status of an open file; `nil` if the descriptor is none.
    public init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        size = Int(status.st_size)
        linkCount = Int(status.st_nlink)
        isRegular = status.st_mode & S_IFMT == S_IFREG
    }
}
