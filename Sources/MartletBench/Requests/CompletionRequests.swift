import MartletTensors
import MartletTransport

/// Requests of OpenAI's API.
public struct CompletionRequests: Sendable {
    /// Which of the API's functions is asked.
    public enum Function: String, Sendable, CaseIterable {
        /// `/v1/chat/completions`.
        case chat
        /// `/v1/completions`.
        case completions
    }

    /// The function.
    public var function = Function.chat

    /// The model's name.
    public var model: String

    /// What the model is asked.
    public var prompt: String

    /// Most tokens of an answer; `nil` for the server's default.
    public var tokensMax: Int?

    /// Whether the answer is streamed.
    public var isStreaming = true

    /// Creates requests.
    public init(model: String, prompt: String) {
        self.model = model
        self.prompt = prompt
    }

    /// The requests as they are sent.
    public func requests() -> BenchRequests {
        with(body: body, description: "\(prompt.utf8.count) bytes of prompt")
    }

    /// The same with a body that somebody has written.
    public func requests(data: [UInt8]) -> BenchRequests {
        with(body: data, description: "\(data.count) bytes of --data")
    }

    private func with(body: [UInt8], description: String) -> BenchRequests {
        let path = function == .chat ? "/v1/chat/completions" : "/v1/completions"
        let request = LoadRequest(
            path: path, headers: ["content-type": "application/json"], body: body)
        var requests = BenchRequests([request], wire: .http1, description: description)
        requests.isStreaming = isStreaming
        return requests
    }

    private var body: [UInt8] {
        var writer = JSONWriter(style: .compact)
        writer.beginObject()
        writer.key("model")
        writer.string(model)
        switch function {
        case .chat:
            writer.key("messages")
            writer.beginArray()
            writer.beginObject()
            writer.key("role")
            writer.string("user")
            writer.key("content")
            writer.string(prompt)
            writer.endObject()
            writer.endArray()
        case .completions:
            writer.key("prompt")
            writer.string(prompt)
        }
        if let tokensMax {
            writer.key("max_tokens")
            writer.integer(tokensMax)
        }
        if isStreaming {
            writer.key("stream")
            writer.bool(true)
        }
        writer.endObject()
        return writer.bytes
    }
}
