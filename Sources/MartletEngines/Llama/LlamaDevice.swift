internal import CLlama
import MartletCore

/// Something that llama.cpp can compute with.
public struct LlamaDevice: Sendable, Equatable {
    /// What kind of device it is.
    public enum Kind: Int32, Sendable {
        /// The processor.
        case processor = 0
        /// A GPU with memory of its own.
        case gpu = 1
        /// A GPU that uses the processor's memory.
        case integratedGPU = 2
        /// Something that speeds up another device.
        case accelerator = 3
        /// Several devices, or one of no kind known here.
        case other = 4
    }

    /// Its name, such as `CUDA0`.
    public let name: String

    /// What it is, such as the model of a GPU.
    public let description: String

    /// What kind of device it is.
    public let kind: Kind

    /// Bytes of its memory that are free now.
    public let freeBytes: UInt64

    /// Bytes of its memory.
    public let totalBytes: UInt64
}

extension LlamaLibrary {
    /// Whether the library was built for a GPU, and one is there.
    public var canUseGPU: Bool { api.can_use_gpu() }

    /// What the library can compute with.
    public var devices: [LlamaDevice] {
        var found = [martlet_llama_device](repeating: martlet_llama_device(), count: 64)
        let count = api.devices(&found, found.count)
        return found.prefix(count).map { device in
            LlamaDevice(
                name: String(zeroEnded: device.name),
                description: String(zeroEnded: device.description),
                kind: LlamaDevice.Kind(rawValue: device.kind) ?? .other,
                freeBytes: device.free_bytes, totalBytes: device.total_bytes)
        }
    }

    /// Adds the devices of another machine that runs llama.cpp's RPC server, for models loaded
    /// from then on.
    ///
    /// The protocol has neither authentication nor encryption: on private networks only.
    ///
    /// - Parameter endpoint: such as `10.0.0.7:50052`.
    /// - Throws: `ServingError` (`UNAVAILABLE`) if no server of the same release answers within
    ///   5 s. One that goes away later ends the process: the engine knows no other way.
    public func addRemoteDevices(_ endpoint: String) throws {
        try checkNetwork(
            "use '\(endpoint)'",
            remedy: ". Start 'martlet rpc-server' of this release there, or leave out "
                + "--rpc-device \(endpoint)"
        ) { api.add_remote_devices(endpoint, $0) }
    }

    /// Lets another machine's llama.cpp compute with this one's devices, and returns only by its
    /// error.
    ///
    /// The devices are GPUs, or the processors where there are none; one machine at a time.
    /// The protocol has neither authentication nor encryption: on private networks only.
    ///
    /// - Parameters:
    ///   - address: where it listens, an IPv4 address and a port, such as `10.0.0.7:50052`.
    ///   - threads: how many compute, where the processors do.
    /// - Throws: `ServingError` (`UNAVAILABLE`) if it cannot listen there.
    public func serveDevices(at address: String, threads: Int) throws {
        try checkNetwork("listen at \(address)") {
            api.serve_devices(address, Int32(clamping: threads), $0)
        }
    }

    /// Throws unless a call succeeded that fails by what another machine, or an address, is like.
    private func checkNetwork(
        _ action: String, remedy: String = "",
        _ call: (UnsafeMutablePointer<martlet_llama_error>) -> Int32
    ) throws {
        do {
            try check(action, call)
        } catch let error as ServingError where error.code == .internal {
            throw ServingError(.unavailable, error.message + remedy)
        }
    }
}
