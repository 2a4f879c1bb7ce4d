import MartletCore
import MartletTensors
import MartletTransport
import Synchronization

/// Who may pass tensors by shared memory.
public enum SharedMemoryAccess: String, Sendable, Hashable, CaseIterable {
    /// Programs on the node's own machine; no web pages, no forwarded requests.
    case loopback
    /// Whoever can reach the node.
    case any
    /// Nobody.
    case off
}

/// The shared memory of a node, as one request may use it.
struct SharedMemoryLender: Sendable {
    /// The node's regions.
    let regions: SharedMemoryRegions
    /// Who may use them.
    let access: SharedMemoryAccess
    /// Most bytes that one request may take out of them.
    let requestBytesMax: Int

    /// Refuses a request that may not use shared memory.
    ///
    /// - Parameters:
    ///   - remoteAddress: the peer's address and port.
    ///   - headers: the request's header fields.
    /// - Throws: `ServingError`: `UNIMPLEMENTED` or `PERMISSION_DENIED`.
    func check(remoteAddress: String, headers: HeaderFields) throws {
        switch access {
        case .any: return
        case .off:
            throw ServingError(
                .unimplemented, "Shared memory is switched off (--shared-memory off)")
        case .loopback:
            guard AdminAccess.isDirect(remoteAddress, headers) else {
                throw ServingError(
                    .permissionDenied,
                    "Shared memory is only for programs on the node's own machine; "
                        + "--shared-memory any allows it to all")
            }
        }
    }

    /// The shared memory for the tensors of one request.
    func memory(remoteAddress: String, headers: HeaderFields) -> RequestMemory {
        RequestMemory(lender: self, remoteAddress: remoteAddress, headers: headers)
    }
}

/// Shared memory for the tensors of one request.
final class RequestMemory: SharedMemory {
    private let lender: SharedMemoryLender
    private let remoteAddress: String
    private let headers: HeaderFields
    private let bytesRead = Mutex(0)

    init(lender: SharedMemoryLender, remoteAddress: String, headers: HeaderFields) {
        self.lender = lender
        self.remoteAddress = remoteAddress
        self.headers = headers
    }

    func read(_ slice: SharedMemorySlice) throws -> [UInt8] {
        try checkAccess()
        let limit = lender.requestBytesMax
        try bytesRead.withLock { bytes in
            guard slice.byteCount <= limit - bytes else {
                throw ServingError(
                    .resourceExhausted,
                    "the request takes more than \(limit) bytes out of shared memory "
                        + "(--max-message-bytes)")
            }
            bytes += max(0, slice.byteCount)
        }
        return try lender.regions.read(slice)
    }

    func check(_ slice: SharedMemorySlice, of place: String) throws {
        try checkAccess()
        do {
            try lender.regions.check(slice)
        } catch let error as ServingError {
            throw ServingError(error.code, "\(place): \(error.message)", cause: error.cause)
        }
    }

    func write(_ bytes: [UInt8], to slice: SharedMemorySlice) throws {
        try lender.regions.write(bytes, to: slice)
    }

    private func checkAccess() throws {
        try lender.check(remoteAddress: remoteAddress, headers: headers)
    }
}
