internal import Foundation
import MartletCore

/// How TensorFlow's sessions run.
///
/// The defaults are what measured best: Martlet's own threads call, and each request runs in the
/// thread that calls, at 1.5 to 2.5 times the throughput of TensorFlow's default settings.
public struct TensorFlowOptions: Sendable, Hashable {
    /// A serialized `tensorflow.ConfigProto`, laid over the defaults; what else is set here is laid
    /// over it in turn.
    public var configuration: [UInt8] = []

    /// Threads within one operation; `nil` leaves it to ``configuration``, else to the default
    /// of 1, and 0 to TensorFlow.
    public var intraOperationThreads: Int?

    /// Threads among operations; `nil` and 0 as for ``intraOperationThreads``.
    ///
    /// Requests run in the calling thread as long as neither this nor ``configuration`` is set.
    public var interOperationThreads: Int?

    /// Whether TensorFlow compiles parts of every model with XLA; the first request of each shape
    /// then takes long.
    public var compilesWithXLA = false

    /// The part of each GPU's memory taken at the start, between 0 and 1; `nil` leaves it to
    /// TensorFlow.
    public var gpuMemoryFraction: Double?

    /// Creates the defaults.
    public init() {}

    /// Whether a request runs in the thread that calls.
    var runsInCallingThread: Bool { configuration.isEmpty && interOperationThreads == nil }

    /// The `tensorflow.ConfigProto` of a session.
    ///
    /// Serialized messages one after the other are one message in which the last value counts.
    var serializedConfiguration: [UInt8] {
        var bytes = Self.threads(intra: 1, inter: 1)
        bytes += configuration
        bytes += Self.threads(intra: intraOperationThreads, inter: interOperationThreads)
        if let gpuMemoryFraction {
            // gpu_options.per_process_gpu_memory_fraction
            let fraction = withUnsafeBytes(
                of: gpuMemoryFraction.bitPattern.littleEndian, Array.init)
            bytes += [0x32, 0x09, 0x09] + fraction
        }
        if compilesWithXLA {
            bytes += [0x52, 0x04, 0x1A, 0x02, 0x28, 0x01]  // ...global_jit_level = ON_1
        }
        return bytes
    }

    /// Sets what TensorFlow reads from the environment; call it before the first session.
    func applyEnvironment() {
        guard compilesWithXLA else { return }
        let name = "TF_XLA_FLAGS"
        let flag = "--tf_xla_cpu_global_jit"
        let given = ProcessInfo.processInfo.environment[name] ?? ""
        guard !given.contains(flag) else { return }
        setenv(name, given.isEmpty ? flag : "\(given) \(flag)", 1)
    }

    private static func threads(intra: Int?, inter: Int?) -> [UInt8] {
        // intra_op_parallelism_threads and inter_op_parallelism_threads
        field(0x10, intra) + field(0x28, inter)
    }

    private static func field(_ key: UInt8, _ value: Int?) -> [UInt8] {
        guard let value else { return [] }
        return [key] + [UInt8](varint: UInt64(clamping: value))
    }
}
