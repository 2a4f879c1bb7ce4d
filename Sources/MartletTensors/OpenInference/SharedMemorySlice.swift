import MartletCore

/// A part of a region of shared memory, as a tensor's parameters name it in the Open Inference
/// Protocol.
///
/// Reference: the extension `system_shared_memory`,
/// <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_shared_memory.html>.
public struct SharedMemorySlice: Sendable, Equatable {
    /// The parameter that names the region.
    public static let regionParameter = "shared_memory_region"
    /// The parameter that says how many bytes the tensor has, or may have.
    public static let sizeParameter = "shared_memory_byte_size"
    /// The parameter that says where in the region it begins; 0 if it is not there.
    public static let offsetParameter = "shared_memory_offset"

    /// The name that the region is registered under.
    public let region: String
    /// Where in the region it begins, in bytes.
    public let offset: Int
    /// How many bytes it has.
    public let byteCount: Int

    /// Creates a slice.
    public init(region: String, offset: Int = 0, byteCount: Int) {
        self.region = region
        self.offset = offset
        self.byteCount = byteCount
    }

    /// Makes a slice of a tensor's parameters; `nil` when they name no region.
    ///
    /// - Parameters:
    ///   - region: the region.
    ///   - byteCount: the bytes.
    ///   - offset: where it begins.
    ///   - place: the tensor, for messages.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when they are not complete.
    public init?(region: String?, byteCount: Int?, offset: Int?, of place: String) throws {
        guard let region else {
            guard byteCount == nil, offset == nil else {
                throw ServingError.invalidArgument(
                    "\(place) has parameters of shared memory, but no "
                        + "'\(SharedMemorySlice.regionParameter)'")
            }
            return nil
        }
        guard let byteCount else {
            throw ServingError.invalidArgument(
                "\(place) needs '\(SharedMemorySlice.sizeParameter)' beside "
                    + "'\(SharedMemorySlice.regionParameter)'")
        }
        self.init(region: region, offset: offset ?? 0, byteCount: byteCount)
    }
}

/// Holds tensors outside of requests and answers.
public protocol SharedMemory: Sendable {
    /// Copies the bytes of a slice.
    ///
    /// - Throws: `ServingError` when the region is not registered or the slice is not within it.
    func read(_ slice: SharedMemorySlice) throws -> [UInt8]

    /// Refuses a slice that nothing could be written to.
    ///
    /// - Parameters:
    ///   - slice: the slice.
    ///   - place: the tensor, for messages.
    /// - Throws: as ``read(_:)``.
    func check(_ slice: SharedMemorySlice, of place: String) throws

    /// Copies bytes to the beginning of a slice.
    ///
    /// - Throws: as ``read(_:)``.
    func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws
}

extension SharedMemory {
    /// Writes the elements of an output.
    ///
    /// - Parameters:
    ///   - output: the output.
    ///   - slice: where it is wanted.
    /// - Returns: how many bytes they take.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when they do not fit.
    public func write(_ output: NamedTensor, to slice: SharedMemorySlice) throws -> Int {
        let count = OpenInferenceBinary.byteCount(output.tensor)
        guard count <= slice.byteCount else {
            throw ServingError.invalidArgument(
                "output '\(output.name)' has \(count) bytes, but its "
                    + "'\(SharedMemorySlice.sizeParameter)' is \(slice.byteCount)")
        }
        if case .fixed(let bytes) = output.tensor.storage {
            try write(bytes, to: slice)
        } else {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            try OpenInferenceBinary.append(output.tensor, to: &bytes)
            try write(bytes, to: slice)
        }
        return count
    }
}

/// Shared memory of a caller that may use none.
public struct NoSharedMemory: SharedMemory {
    private static let error = ServingError(
        .unimplemented, "shared memory is not available here; send the data itself")

    /// Creates it.
    public init() {}

    /// Refuses.
    public func read(_ slice: SharedMemorySlice) throws -> [UInt8] { throw NoSharedMemory.error }

    /// Refuses.
    public func check(_ slice: SharedMemorySlice, of place: String) throws {
        throw NoSharedMemory.error
    }

    /// Refuses.
    public func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws {
        throw NoSharedMemory.error
    }
}
