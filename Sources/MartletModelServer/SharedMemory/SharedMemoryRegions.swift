import MartletCore
import MartletTensors
import Synchronization

/// The regions of shared memory that clients have registered.
final class SharedMemoryRegions: Sendable {
    /// Most regions at a time: each keeps a file open.
    static let maximumCount = 256

    /// Longest name of a region, in bytes.
    static let maximumNameBytes = 256

    /// What a client says of a region.
    struct Description: Sendable, Equatable {
        /// The name that requests call it by.
        let name: String
        /// The key of the shared memory object.
        let key: String
        /// Where in the object it begins, in bytes.
        let offset: Int
        /// Its size in bytes.
        let byteCount: Int
    }

    private struct Region {
        let description: Description
        let object: SharedMemoryObject
    }

    private let regions = Mutex<[String: Region]>([:])

    /// Registers a region.
    ///
    /// - Throws: `ServingError`: `ALREADY_EXISTS` for a name that is taken, `RESOURCE_EXHAUSTED`
    ///   beyond the number of regions, `NOT_FOUND` for a key of nothing, else `INVALID_ARGUMENT`.
    func register(_ description: Description) throws {
        let (name, count) = (description.name, description.byteCount)
        guard !name.isEmpty, name.utf8.count <= SharedMemoryRegions.maximumNameBytes else {
            throw ServingError.invalidArgument(
                "The name of a shared memory region has 1 to "
                    + "\(SharedMemoryRegions.maximumNameBytes) bytes")
        }
        guard description.offset >= 0, count > 0 else {
            throw ServingError.invalidArgument(
                "Shared memory region '\(name)': offset must be 0 or more, byte_size 1 or more")
        }
        try checkRoom(for: name)
        let object = try SharedMemoryObject(SharedMemoryKey(description.key))
        guard description.offset <= object.byteCount, count <= object.byteCount - description.offset
        else {
            throw ServingError.invalidArgument(
                "Invalid offset + byte size for shared memory region: '\(name)': \(count) bytes "
                    + "from \(description.offset) on, but '\(description.key)' has "
                    + "\(object.byteCount)")
        }
        try regions.withLock { regions in
            try SharedMemoryRegions.checkRoom(for: name, in: regions)
            regions[name] = Region(description: description, object: object)
        }
    }

    /// Ends the registration of a region; of one that is not there too.
    ///
    /// - Parameter name: the region; `nil` for all.
    func unregister(_ name: String?) {
        regions.withLock { regions in
            if let name { regions[name] = nil } else { regions = [:] }
        }
    }

    /// The regions registered, sorted by name.
    ///
    /// - Parameter name: the region; `nil` for all.
    /// - Returns: what was said of them.
    /// - Throws: `ServingError` (`NOT_FOUND`) when it is not registered.
    func status(of name: String?) throws -> [Description] {
        let all = regions.withLock { $0.values.map(\.description) }
        guard let name else { return all.sorted { $0.name < $1.name } }
        guard let region = all.first(where: { $0.name == name }) else { throw unknown(name) }
        return [region]
    }

    // MARK: Tensors

    /// Copies the bytes of a slice.
    func read(_ slice: SharedMemorySlice) throws -> [UInt8] {
        let (region, place) = try locate(slice)
        return try naming(slice) { try region.object.read(slice.byteCount, at: place) }
    }

    /// Refuses a slice that nothing could be written to.
    func check(_ slice: SharedMemorySlice) throws {
        guard try locate(slice).region.object.isWritable else {
            throw ServingError(
                .permissionDenied,
                "Shared memory region '\(slice.region)' may only be read by the node")
        }
    }

    /// Copies bytes to the beginning of a slice that has room for them.
    func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws {
        try check(slice)
        let (region, place) = try locate(slice)
        try naming(slice) { try region.object.write(bytes, at: place) }
    }

    /// The region of a slice, and where in its object the slice begins.
    private func locate(_ slice: SharedMemorySlice) throws -> (region: Region, place: Int) {
        guard let region = regions.withLock({ $0[slice.region] }) else {
            throw unknown(slice.region)
        }
        let size = region.description.byteCount
        guard slice.offset >= 0, slice.byteCount >= 0, slice.offset <= size,
            slice.byteCount <= size - slice.offset
        else {
            throw ServingError.invalidArgument(
                "Invalid offset + byte size for shared memory region: '\(slice.region)': "
                    + "\(slice.byteCount) bytes from \(slice.offset) on, but it has \(size)")
        }
        return (region, region.description.offset + slice.offset)
    }

    private func naming<Result>(
        _ slice: SharedMemorySlice, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as ServingError {
            throw ServingError(
                error.code, "Shared memory region '\(slice.region)': \(error.message)",
                cause: error.cause)
        }
    }

    // MARK: Bounds

    private func checkRoom(for name: String) throws {
        try regions.withLock { try SharedMemoryRegions.checkRoom(for: name, in: $0) }
    }

    private static func checkRoom(for name: String, in regions: [String: Region]) throws {
        guard regions[name] == nil else {
            throw ServingError(
                .alreadyExists, "Shared memory region '\(name)' is registered already")
        }
        guard regions.count < maximumCount else {
            throw ServingError(
                .resourceExhausted,
                "There are \(maximumCount) shared memory regions already; unregister some")
        }
    }

    private func unknown(_ name: String) -> ServingError {
        .notFound("Unable to find shared memory region: '\(name.prefix(256))'")
    }
}
