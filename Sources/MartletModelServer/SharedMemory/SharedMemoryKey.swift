import MartletCore

/// The key of a shared memory object, such as `/input_data`.
///
/// It comes from a client, and is a file name in the end: one component, and no more.
struct SharedMemoryKey: Hashable, Sendable {
    /// Longest name that Linux takes, in bytes.
    private static let maximumBytes = 255

    /// Semaphores lie beside shared memory, under names of their own.
    private static let semaphorePrefix = "sem."

    /// The name with one slash before it, as `shm_open` takes it.
    let path: String

    /// Checks a key; a slash before it may be missing, as for the C library.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    init(_ text: String) throws {
        let name = text.hasPrefix("/") ? text.dropFirst() : text[...]
        func invalid(_ reason: String) -> ServingError {
            .invalidArgument("The key of shared memory '\(text.prefix(64))' \(reason)")
        }
        guard !name.isEmpty else { throw invalid("is empty") }
        guard name.utf8.count <= SharedMemoryKey.maximumBytes else {
            throw invalid("is longer than \(SharedMemoryKey.maximumBytes) bytes")
        }
        guard !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
            throw invalid("must be '/' and a name without another '/'")
        }
        guard name.utf8.allSatisfy({ $0 > 0x1F && $0 != 0x7F }) else {
            throw invalid("has control characters")
        }
        guard !name.hasPrefix(SharedMemoryKey.semaphorePrefix) else {
            throw invalid("is that of a semaphore")
        }
        path = "/\(name)"
    }
}
