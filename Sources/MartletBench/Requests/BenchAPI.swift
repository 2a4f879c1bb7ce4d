public import MartletTransport

/// How a model is asked.
public enum BenchAPI: String, Sendable, CaseIterable, Codable {
    /// TensorFlow Serving's `Predict` over gRPC.
    case grpc
    /// TensorFlow Serving's `:predict` over REST.
    case rest
    /// The Open Inference Protocol over REST.
    case oip
    /// The Open Inference Protocol over gRPC.
    case oipGRPC = "oip-grpc"
    /// OpenAI's chat completions or completions.
    case openAI = "openai"

    /// What the API is spoken over.
    public var wire: LoadWire {
        switch self {
        case .grpc, .oipGRPC: .grpc
        case .rest, .oip, .openAI: .http1
        }
    }
}

/// What is sent to a target.
public struct BenchRequests: Sendable {
    /// The requests, which take turns.
    public var requests: [LoadRequest]

    /// What they are spoken over.
    public var wire: LoadWire

    /// Whether answers come as server-sent events.
    public var isStreaming = false

    /// What is sent, in words: `x float [1]`.
    public var description: String

    /// Creates requests.
    public init(_ requests: [LoadRequest], wire: LoadWire, description: String) {
        self.requests = requests
        self.wire = wire
        self.description = description
    }

    /// Bytes of a request's content, on average.
    public var bytes: Double {
        guard !requests.isEmpty else { return 0 }
        return Double(requests.reduce(0) { $0 + $1.body.count }) / Double(requests.count)
    }

    /// Sends the first request once, before any load.
    ///
    /// - Throws: `ServingError` with the server's words.
    public func check(_ server: BenchServer, on eventLoops: EventLoops) async throws {
        guard let first = requests.first else { return }
        _ = try await SingleCall.send(first, to: server, on: eventLoops)
    }
}
