import MartletCore
import MartletTransport

/// The settings of gRPC that `--grpc_channel_arguments` lists.
struct GRPCChannelArguments: Equatable {
    /// The value of a setting; gRPC tells numbers from texts.
    enum Value: Equatable {
        /// A number.
        case integer(Int32)
        /// Any other text.
        case text(String)
    }

    /// The settings by name; of a name given twice, the last.
    let values: [String: Value]

    /// Reads a list of `KEY=VALUE`, with commas between.
    ///
    /// - Throws: `ServingError` `INVALID_ARGUMENT` for an entry without a key or `=`.
    init(_ list: String) throws {
        var values: [String: Value] = [:]
        for entry in list.split(separator: ",") {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ServingError.invalidArgument(
                    "--grpc_channel_arguments has '\(entry)'; write KEY=VALUE,KEY=VALUE")
            }
            values[String(parts[0])] = Int32(parts[1]).map(Value.integer) ?? .text(String(parts[1]))
        }
        self.values = values
    }

    /// A setting that is a number; nil if it is missing or a text.
    func integer(_ name: String) -> Int? {
        guard case .integer(let value) = values[name] else { return nil }
        return Int(value)
    }

    /// Whether several processes may listen on the port; gRPC's default is that they may.
    var mayReusePort: Bool {
        (integer("grpc.so_reuseport") ?? integer("grpc.so_reuseaddr")) != 0
    }

    /// Largest message that is accepted, in bytes; nil if nothing is said, -1 for no limit.
    var maxReceiveMessageBytes: Int? { integer("grpc.max_receive_message_length") }

    /// Largest message that is sent, in bytes; nil for no limit.
    var maxSendMessageBytes: Int? {
        integer("grpc.max_send_message_length").flatMap { $0 < 0 ? nil : $0 }
    }

    /// Calls that one connection may have open at once; nil if nothing is said.
    var maxConcurrentStreams: Int? {
        integer("grpc.max_concurrent_streams").flatMap { $0 < 1 ? nil : $0 }
    }

    /// How long a connection without calls is kept; nil if nothing is said.
    var maxConnectionIdle: Duration? { milliseconds("grpc.max_connection_idle_ms") }

    /// The life of a connection, over what is usual here.
    func apply(to lifetime: inout ConnectionLifetime) {
        if let age = milliseconds("grpc.max_connection_age_ms") {
            // gRPC lets calls finish that a connection has at the end of its time, unless told
            // otherwise.
            let grace = milliseconds("grpc.max_connection_age_grace_ms")
            lifetime.end = .init(age: age, grace: grace)
        }
        if let interval = milliseconds("grpc.keepalive_time_ms") {
            lifetime.pingInterval = interval
        }
        if let timeout = milliseconds("grpc.keepalive_timeout_ms") {
            lifetime.pingTimeout = timeout
        }
    }

    private func milliseconds(_ name: String) -> Duration? {
        // The largest number of 32 bits stands for never, as in gRPC.
        guard let value = integer(name), value > 0, value < Int32.max else { return nil }
        return .milliseconds(value)
    }

    /// Settings that are given and have no effect here, sorted.
    var unknownNames: [String] {
        let known: Set = [
            "grpc.so_reuseport", "grpc.so_reuseaddr", "grpc.max_receive_message_length",
            "grpc.max_send_message_length", "grpc.max_concurrent_streams",
            "grpc.max_connection_idle_ms", "grpc.max_connection_age_ms",
            "grpc.max_connection_age_grace_ms", "grpc.keepalive_time_ms",
            "grpc.keepalive_timeout_ms",
        ]
        return values.keys.filter { !known.contains($0) }.sorted()
    }
}
