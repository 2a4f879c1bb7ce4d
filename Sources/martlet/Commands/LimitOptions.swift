import ArgumentParser
import MartletCore

/// Flags that set ``Limits``; each default is that of ``Limits``.
struct LimitOptions: ParsableArguments {
    @Option(help: "Largest request or response body, or gRPC message, in bytes.")
    var maxMessageBytes = Limits().messageBytes

    @Option(help: "Most header fields in a request.")
    var maxHeaderFields = Limits().headerFields

    @Option(help: "Most bytes of header fields in a request.")
    var maxHeaderBytes = Limits().headerBytes

    @Option(help: "Longest wait for a complete request head, in seconds.")
    var headerTimeoutSeconds = Limits().headerTimeout.seconds

    @Option(help: "Longest pause between two parts of a request body, in seconds.")
    var bodyTimeoutSeconds = Limits().bodyTimeout.seconds

    @Option(help: "Least bytes a second of a request body, on average; 0 for any.")
    var minBodyBytesPerSecond = Limits().bodyBytesPerSecondMin

    @Option(help: "How long a request body may be slower, from its head on, in seconds.")
    var bodyGraceSeconds = Limits().bodyGrace.seconds

    @Option(help: "How long an idle connection is kept, in seconds.")
    var idleTimeoutSeconds = Limits().idleTimeout.seconds

    @Option(
        help: "How long a client's machine may acknowledge or take nothing, in seconds; 0 for any.")
    var tcpUserTimeoutSeconds = Limits().unacknowledgedTimeout.seconds

    @Option(
        help: "How long a client is silent before its machine is asked, in seconds; 0 for never.")
    var tcpKeepaliveSeconds = Limits().keepalive.seconds

    @Option(help: "Streams one HTTP/2 client may have open at once.")
    var maxConcurrentStreams = Limits().concurrentStreams

    @Option(
        help: ArgumentHelp(
            "Most bytes that a byte of a compressed request may expand to.", valueName: "ratio"))
    var maxDecompressionRatio = Limits().decompressionRatio

    @Option(help: "Bytes of messages that may wait to be sent on a gRPC stream.")
    var maxStreamBufferBytes = Limits().streamBufferBytes

    @Option(help: "Connections accepted at once.")
    var maxConnections = Limits().connections

    @Option(help: "How long started requests may take to finish at shutdown, in seconds.")
    var drainSeconds = Limits().drain.seconds

    func validate() throws {
        let positive: [(String, Double)] = [
            ("--max-message-bytes", Double(maxMessageBytes)),
            ("--max-header-fields", Double(maxHeaderFields)),
            ("--max-header-bytes", Double(maxHeaderBytes)),
            ("--header-timeout-seconds", headerTimeoutSeconds),
            ("--body-timeout-seconds", bodyTimeoutSeconds),
            ("--body-grace-seconds", bodyGraceSeconds),
            ("--idle-timeout-seconds", idleTimeoutSeconds),
            ("--max-concurrent-streams", Double(maxConcurrentStreams)),
            ("--max-decompression-ratio", Double(maxDecompressionRatio)),
            ("--max-stream-buffer-bytes", Double(maxStreamBufferBytes)),
            ("--max-connections", Double(maxConnections)),
        ]
        for (flag, value) in positive where !(value > 0 && value < 1e10) {
            throw ValidationError("\(flag) is \(value); it must be greater than 0, below 1e10")
        }
        guard (0...1_000_000_000).contains(minBodyBytesPerSecond) else {
            throw ValidationError(
                "--min-body-bytes-per-second is \(minBodyBytesPerSecond); use 0 to 1000000000")
        }
        for (flag, value) in [
            ("--tcp-user-timeout-seconds", tcpUserTimeoutSeconds),
            ("--tcp-keepalive-seconds", tcpKeepaliveSeconds),
        ] where !(value >= 0 && value <= 32_767) {
            throw ValidationError("\(flag) is \(value); use 0 to 32767")
        }
        guard drainSeconds >= 0, drainSeconds < 1e6 else {
            throw ValidationError("--drain-seconds is \(drainSeconds); use 0 or more, below 1e6")
        }
    }

    /// The limits that the flags say.
    var limits: Limits {
        var limits = Limits()
        limits.messageBytes = maxMessageBytes
        limits.headerFields = maxHeaderFields
        limits.headerBytes = maxHeaderBytes
        limits.headerTimeout = .seconds(headerTimeoutSeconds)
        limits.bodyTimeout = .seconds(bodyTimeoutSeconds)
        limits.bodyBytesPerSecondMin = minBodyBytesPerSecond
        limits.bodyGrace = .seconds(bodyGraceSeconds)
        limits.idleTimeout = .seconds(idleTimeoutSeconds)
        limits.unacknowledgedTimeout = .seconds(tcpUserTimeoutSeconds)
        limits.keepalive = .seconds(tcpKeepaliveSeconds)
        limits.concurrentStreams = maxConcurrentStreams
        limits.decompressionRatio = maxDecompressionRatio
        limits.streamBufferBytes = maxStreamBufferBytes
        limits.connections = maxConnections
        limits.drain = .seconds(drainSeconds)
        return limits
    }
}
