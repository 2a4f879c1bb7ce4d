import Foundation
import MartletCore
import MartletTensors
import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Regions of shared memory")
struct SharedMemoryRegionsTests {
    /// A shared memory object of a test's own, removed with it.
    private final class Object {
        let key = "/martlet-test-\(UUID().uuidString)"
        private let descriptor: Int32

        init(_ bytes: [UInt8]) throws {
            descriptor = shm_open(key, O_RDWR | O_CREAT | O_EXCL, 0o600)
            try #require(descriptor >= 0)
            try #require(pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
        }

        deinit {
            shm_unlink(key)
            close(descriptor)
        }

        var bytes: [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            return Array(bytes.prefix(max(0, count)))
        }

        func truncate(to count: Int) { ftruncate(descriptor, off_t(count)) }
    }

    private let regions = SharedMemoryRegions()

    private func register(
        _ object: Object, as name: String = "r", offset: Int = 0, _ count: Int
    ) throws {
        try regions.register(
            .init(name: name, key: object.key, offset: offset, byteCount: count))
    }

    private func slice(_ offset: Int, _ count: Int, of region: String = "r") -> SharedMemorySlice {
        SharedMemorySlice(region: region, offset: offset, byteCount: count)
    }

    private func code(_ body: () throws -> Void) -> StatusCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ServingError)?.code ?? .unknown
        }
    }

    @Test func bytes_goInAndOutWithinTheRegion() throws {
        let object = try Object([0, 1, 2, 3, 4, 5, 6, 7])
        try register(object, offset: 2, 4)
        #expect(try regions.read(slice(0, 4)) == [2, 3, 4, 5])
        #expect(try regions.read(slice(1, 2)) == [3, 4])
        #expect(try regions.read(slice(4, 0)) == [])
        try regions.write([9, 8], to: slice(1, 3))
        #expect(object.bytes == [0, 1, 2, 9, 8, 5, 6, 7])
        #expect(
            try regions.status(of: "r")
                == [.init(name: "r", key: object.key, offset: 2, byteCount: 4)])
    }

    @Test func slicesBeyondTheRegion_areRefused() throws {
        let object = try Object([UInt8](repeating: 0, count: 8))
        try register(object, offset: 2, 4)
        for (offset, count) in [
            (0, 5), (4, 1), (5, 0), (-1, 1), (0, -1), (.max, 1), (1, .max), (.max, .max),
        ] {
            #expect(code { _ = try regions.read(slice(offset, count)) } == .invalidArgument)
            #expect(code { try regions.check(slice(offset, count)) } == .invalidArgument)
        }
        #expect(code { _ = try regions.read(slice(0, 1, of: "other")) } == .notFound)
    }

    @Test func registrations_thatCannotBeAreRefused() throws {
        let object = try Object([UInt8](repeating: 0, count: 8))
        for (offset, count) in [(0, 9), (8, 1), (9, 1), (0, 0), (-1, 2), (1, .max), (.max, .max)] {
            #expect(code { try register(object, offset: offset, count) } == .invalidArgument)
        }
        #expect(code { try register(object, as: "", 8) } == .invalidArgument)
        let long = String(repeating: "n", count: 257)
        #expect(code { try register(object, as: long, 8) } == .invalidArgument)
        #expect(
            code {
                try regions.register(
                    .init(name: "r", key: "/martlet-nothing", offset: 0, byteCount: 1))
            } == .notFound)
        #expect(
            code {
                try regions.register(
                    .init(name: "r", key: "/../etc/passwd", offset: 0, byteCount: 1))
            } == .invalidArgument)
        try register(object, 8)
        #expect(code { try register(object, 8) } == .alreadyExists)
        #expect(try regions.status(of: nil).map(\.name) == ["r"])
    }

    @Test func numberOfRegions_isBound() throws {
        let object = try Object([1])
        for index in 0..<SharedMemoryRegions.maximumCount {
            try register(object, as: "r\(index)", 1)
        }
        #expect(code { try register(object, as: "more", 1) } == .resourceExhausted)
        regions.unregister("r0")
        try register(object, as: "more", 1)
        regions.unregister(nil)
        #expect(try regions.status(of: nil).isEmpty)
    }

    @Test func regionUnregistered_isUnknown() throws {
        let object = try Object([1])
        try register(object, 1)
        regions.unregister("r")
        regions.unregister("r")
        #expect(code { _ = try regions.read(slice(0, 1)) } == .notFound)
        #expect(code { _ = try regions.status(of: "r") } == .notFound)
    }

    @Test func objectCutShort_isAnErrorAndNotTheEnd() throws {
        let object = try Object([UInt8](repeating: 7, count: 32))
        try register(object, 32)
        object.truncate(to: 16)
        #expect(try regions.read(slice(0, 16)).count == 16)
        #expect(code { _ = try regions.read(slice(0, 32)) } == .failedPrecondition)
        #expect(code { try regions.write([1, 2], to: slice(15, 2)) } == .failedPrecondition)
        // Nothing made it longer again.
        #expect(object.bytes.count == 16)
        object.truncate(to: 0)
        #expect(code { _ = try regions.read(slice(0, 1)) } == .failedPrecondition)
    }

    // MARK: Requests

    private func lender(_ access: SharedMemoryAccess, limit: Int = 1 << 20) -> SharedMemoryLender {
        SharedMemoryLender(regions: regions, access: access, requestBytesMax: limit)
    }

    @Test func foreignPeers_areRefusedUnlessAllowed() throws {
        let object = try Object([5])
        try register(object, 1)
        func code(_ access: SharedMemoryAccess, _ address: String) -> StatusCode? {
            let memory = lender(access).memory(remoteAddress: address, headers: [:])
            return self.code {
                _ = try memory.read(slice(0, 1))
                try memory.check(slice(0, 1), of: "output 'y'")
            }
        }
        #expect(code(.loopback, "127.0.0.1:9") == nil)
        #expect(code(.loopback, "unix:") == nil)
        #expect(code(.loopback, "10.0.0.1:9") == .permissionDenied)
        #expect(code(.any, "10.0.0.1:9") == nil)
        #expect(code(.off, "127.0.0.1:9") == .unimplemented)
        let forwarded = lender(.loopback).memory(
            remoteAddress: "127.0.0.1:9", headers: ["x-forwarded-for": "10.0.0.1"])
        #expect(self.code { _ = try forwarded.read(slice(0, 1)) } == .permissionDenied)
    }

    @Test func bytesOfOneRequest_areBound() throws {
        let object = try Object([UInt8](repeating: 7, count: 32))
        try register(object, 32)
        let memory = lender(.loopback, limit: 40).memory(remoteAddress: "127.0.0.1:9", headers: [:])
        #expect(try memory.read(slice(0, 32)).count == 32)
        #expect(code { _ = try memory.read(slice(0, 9)) } == .resourceExhausted)
        #expect(try memory.read(slice(0, 8)).count == 8)
    }

    @Test func outputs_mustFitTheirSlice() throws {
        let object = try Object([UInt8](repeating: 0, count: 16))
        try register(object, 16)
        let memory = lender(.loopback).memory(remoteAddress: "127.0.0.1:9", headers: [:])
        let words = try Tensor(shape: Shape([2]), strings: [[65], []])
        let output = NamedTensor(name: "y", tensor: words)
        #expect(try memory.write(output, to: slice(1, 15)) == 9)
        #expect(object.bytes.prefix(11) == [0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0])
        let error = #expect(throws: ServingError.self) {
            _ = try memory.write(output, to: slice(0, 8))
        }
        #expect(error?.message == "output 'y' has 9 bytes, but its 'shared_memory_byte_size' is 8")
    }
}
