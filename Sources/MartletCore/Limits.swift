/// Every bound of the data plane with its default; each can be set by the flag its comment names.
///
/// A request that reaches a bound is refused with an error that names the bound and the flag.
public struct Limits: Sendable, Equatable {
    /// Largest request or response body, or gRPC message, in bytes (`--max-message-bytes`).
    public var messageBytes = 64 * 1024 * 1024

    /// Largest gRPC message that is sent, in bytes; `nil` for any (`grpc.max_send_message_length`
    /// of `tensorflow_model_server`).
    public var answerBytes: Int?

    /// Smallest body of an answer over REST that is compressed for a client that takes gzip, in
    /// bytes; `nil` to compress none (`--compress-answers-bytes`).
    public var compressedBytes: Int?

    /// Most bytes that a byte of a compressed body or message may expand to, once more than a MiB
    /// has come out (`--max-decompression-ratio`).
    public var decompressionRatio = 100

    /// Deepest nesting of a JSON request (`--max-json-depth`).
    public var jsonDepth = 32

    /// Most values (numbers, strings, lists, objects...) in a JSON request (`--max-json-values`).
    public var jsonValues = 8 * 1024 * 1024

    /// Most dimensions of a tensor; TensorFlow's own bound.
    public var tensorRank = 254

    /// Most header fields in a request (`--max-header-fields`).
    public var headerFields = 128

    /// Most bytes of header fields in a request (`--max-header-bytes`).
    public var headerBytes = 64 * 1024

    /// Longest wait for a complete request head on a connection (`--header-timeout-seconds`).
    public var headerTimeout: Duration = .seconds(10)

    /// Longest pause between two parts of a request body (`--body-timeout-seconds`).
    public var bodyTimeout: Duration = .seconds(60)

    /// Least bytes a second of a request body, on average; 0 for any
    /// (`--min-body-bytes-per-second`).
    ///
    /// Each byte earns a client the time for it, up to ``bodyTimeout``; streaming gRPC calls may be
    /// silent, and are not measured.
    public var bodyBytesPerSecondMin = 240

    /// How long a request body may be slower, from its head on (`--body-grace-seconds`).
    public var bodyGrace: Duration = .seconds(10)

    /// How long an idle connection is kept (`--idle-timeout-seconds`).
    public var idleTimeout: Duration = .seconds(300)

    /// How long a client's machine may leave bytes unacknowledged, or take none, before its
    /// connection is given up; zero for as long as the system likes
    /// (`--tcp-user-timeout-seconds`).
    public var unacknowledgedTimeout: Duration = .seconds(60)

    /// How long a connection is silent before its client's machine is asked whether it is there.
    ///
    /// It is given up after three questions without an answer, each a quarter of that after the one
    /// before. Zero to never ask (`--tcp-keepalive-seconds`).
    public var keepalive: Duration = .seconds(120)

    /// Longest wait for the answer to an HTTP request, from its head on; `nil` waits for ever
    /// (`--rest_api_timeout_in_ms` of `tensorflow_model_server`).
    ///
    /// gRPC calls bring a deadline of their own.
    public var requestTimeout: Duration?

    /// Bytes of messages that may wait to be sent on a gRPC stream, beyond a first message
    /// (`--max-stream-buffer-bytes`).
    public var streamBufferBytes = 1024 * 1024

    /// Requests that one gRPC stream may have taken in and not answered yet
    /// (`--max-stream-requests`).
    public var streamRequests = 64

    /// Streams one HTTP/2 client may have open at once (`--max-concurrent-streams`).
    public var concurrentStreams = 1024

    /// Connections accepted at once (`--max-connections`).
    public var connections = 20_000

    /// Requests that may wait for an engine thread (`--queue-capacity`).
    public var queuedRequests = 1024

    /// How long started requests may take to finish once shutdown began (`--drain-seconds`).
    public var drain: Duration = .seconds(30)

    /// The defaults.
    public init() {}
}
