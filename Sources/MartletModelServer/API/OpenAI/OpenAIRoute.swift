import MartletCore

/// What a request of OpenAI's API, or of its common extensions, asks for.
///
/// `GET /v1/models` is answered with the node's other models, for all APIs in one; and
/// `GET /v1/models/NAME` is TensorFlow Serving's.
enum OpenAIRoute: String, Sendable, CaseIterable {
    case chatCompletions = "chat_completions"
    case completions
    case embeddings
    case rerank
    case tokenize
    case detokenize

    /// The name metrics use.
    var operation: String { rawValue }

    /// Reads a method and a path; `nil` when the path is not of this API.
    ///
    /// - Throws: `ServingError` (`NOT_FOUND`) for a path of this API with another method.
    init?(method: String, path: String) throws {
        let route: OpenAIRoute
        switch path {
        case "/v1/chat/completions": route = .chatCompletions
        case "/v1/completions": route = .completions
        case "/v1/embeddings": route = .embeddings
        case "/v1/rerank", "/v2/rerank", "/rerank": route = .rerank
        case "/tokenize": route = .tokenize
        case "/detokenize": route = .detokenize
        default: return nil
        }
        guard method == "POST" else {
            throw ServingError(
                .notFound, "Not found: \(method) \(path); it takes POST",
                cause: OpenAIErrorDetail(code: "method_not_found"))
        }
        self = route
    }
}
