import MartletCore
import MartletTransport

/// What a request asks by OpenAI's API, or by its common extensions.
///
/// `/v1/models` is not among them: nodes answer there for all APIs in one.
enum OpenAICall: String, Sendable, CaseIterable {
    case chatCompletions = "/v1/chat/completions"
    case completions = "/v1/completions"
    case embeddings = "/v1/embeddings"
    case responses = "/v1/responses"
    case rerank = "/v1/rerank"
    case rerankV2 = "/v2/rerank"
    case plainRerank = "/rerank"
    case tokenize = "/tokenize"
    case detokenize = "/detokenize"

    /// Reads a path without its query, literally; nil for one of another API.
    init?(path: String) { self.init(rawValue: path) }

    /// What a credential has to allow.
    var accessVerb: AccessVerb { self == .embeddings ? .embeddings : .chat }

    /// Whether the answer tells what it has cost.
    var spendsTokens: Bool {
        switch self {
        case .chatCompletions, .completions, .embeddings, .responses: true
        case .rerank, .rerankV2, .plainRerank, .tokenize, .detokenize: false
        }
    }

    /// Whether it is answered by text, token by token.
    var isGenerative: Bool { self == .chatCompletions || self == .completions }

    /// Whether this may be asked in its place: not another model where numbers are the answer,
    /// which mean something else there.
    func allows(_ fallback: TrafficPolicy.Fallback) -> Bool {
        switch self {
        case .chatCompletions, .completions: true
        case .embeddings: fallback.model == nil
        case .responses, .rerank, .rerankV2, .plainRerank, .tokenize, .detokenize: false
        }
    }

    /// Whether it changes nothing, and so may run twice: all but `/v1/responses`, which servers may
    /// keep to be continued.
    var mayRunTwice: Bool { self != .responses }
}

/// An error as OpenAI's clients know it.
struct OpenAIErrorContent: Sendable, Equatable {
    /// A name for the kind, by the status.
    let type: String
    /// A name for programs; nil for none.
    let code: String?
    /// `{"error":{"message":...,"type":...,"param":null,"code":...}}`.
    let bytes: [UInt8]

    /// The content of an answer with this status.
    init(_ message: String, status: Int) {
        (type, code) =
            switch status {
            case 401: ("authentication_error", "invalid_api_key")
            case 403: ("permission_error", "permission_denied")
            case 404: ("invalid_request_error", "not_found")
            case 413: ("invalid_request_error", "request_too_large")
            case 429: ("rate_limit_error", "rate_limit_exceeded")
            case 503: ("server_error", "service_unavailable")
            case 504: ("server_error", "timeout")
            case 500...: ("server_error", "internal_error")
            default: ("invalid_request_error", nil)
            }
        let name = code.map { "\"\($0)\"" } ?? "null"
        var content = Array(#"{"error":{"message":"#.utf8)
        content.append(jsonString: message)
        // The names above need no escapes.
        content += Array(#","type":"\#(type)","param":null,"code":\#(name)}}"#.utf8)
        bytes = content
    }
}

extension GatewayPolicy {
    func body(
        telling error: ServingError, status: Int, to request: ForwardedRequest
    ) -> [UInt8]? {
        guard OpenAICall(path: request.path) != nil else { return nil }
        return OpenAIErrorContent(error.message, status: status).bytes
    }

    func event(
        telling error: ServingError, status: Int, to request: ForwardedRequest
    ) -> [UInt8]? {
        body(telling: error, status: status, to: request).map { content in
            // It is on one line.
            Array("data: ".utf8) + content + Array("\n\n".utf8)
        }
    }
}
