import MartletCore

/// Where the bytes of a file come from, a range at a time.
///
/// A client of HTTP fits to it by requests with the field `range` (RFC 9110, section 14), each on a
/// connection of its own if it likes: ``examine()`` asks for the first byte and reads the total
/// from `content-range`, ``read(from:count:of:)`` for `bytes=FROM-TO` with `if-match` where there
/// is a tag. What can be tried again is thrown as `UNAVAILABLE` or `DEADLINE_EXCEEDED`.
public protocol ModelByteSource: Sendable {
    /// Says what is to be had now.
    ///
    /// - Throws: `ServingError`.
    func examine() async throws -> ModelOrigin

    /// The bytes from a place on: at least one and at most `count`, which never leads beyond the
    /// end.
    ///
    /// - Parameters:
    ///   - place: how many bytes come before.
    ///   - count: most bytes.
    ///   - origin: what ``examine()`` said.
    /// - Returns: the bytes.
    /// - Throws: `ServingError`: `ABORTED` where there is something else by now.
    func read(from place: Int, count: Int, of origin: ModelOrigin) async throws -> [UInt8]
}

/// What a file is, so that a part of it is continued by the same file only.
public struct ModelOrigin: Sendable, Hashable {
    /// Where it is from, as messages show it.
    public let location: String

    /// Its size in bytes.
    public let byteCount: Int

    /// What changes with its content, such as the field `etag`; `nil` where nothing does.
    public let tag: String?

    /// Creates a description.
    public init(location: String, byteCount: Int, tag: String?) {
        self.location = location
        self.byteCount = byteCount
        self.tag = tag
    }
}

/// One file to bring.
public struct ModelPiece: Sendable {
    /// What the file is.
    public enum Form: Sendable, Hashable {
        /// A GGUF file, or a part of a model in several.
        case model
        /// A Python wheel or another zip archive that holds a GGUF file, or pieces of one named
        /// `NAME.gguf.partNN`.
        case wheel
    }

    /// Where its bytes come from.
    public let source: any ModelByteSource

    /// What it is.
    public let form: Form

    /// What its SHA-256 must be; `nil` to take what comes.
    public let checksum: SHA256Checksum?

    /// Describes a file.
    public init(_ source: any ModelByteSource, form: Form, checksum: SHA256Checksum?) {
        self.source = source
        self.form = form
        self.checksum = checksum
    }
}

/// A file of this machine as a source.
public struct ModelFileSource: ModelByteSource {
    private let path: String

    /// Names a file.
    public init(path: String) {
        self.path = path
    }

    /// The file's size; its tag changes when it is written.
    public func examine() throws -> ModelOrigin {
        let file = try FileBytes(path: path)
        return ModelOrigin(
            location: path, byteCount: file.byteCount, tag: FileTree.fingerprint(of: path))
    }

    /// Reads a range of the file.
    public func read(from place: Int, count: Int, of origin: ModelOrigin) throws -> [UInt8] {
        let file = try FileBytes(path: path)
        guard file.byteCount == origin.byteCount, FileTree.fingerprint(of: path) == origin.tag
        else {
            throw ServingError(.aborted, "\(path) changed while it was copied")
        }
        return try [UInt8](unsafeUninitializedCapacity: count) { room, read in
            read = try file.read(at: place, into: UnsafeMutableRawBufferPointer(room))
        }
    }
}
