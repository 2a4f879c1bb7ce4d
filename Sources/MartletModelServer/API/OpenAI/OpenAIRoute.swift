import MartletCore

/// What a request of OpenAI's API, or of its common extensions, asks for.
///
/// `GET /v1/models/NAME` is not among them: TensorFlow Serving's API has that path already.
enum OpenAIRoute: String, Sendable, CaseIterable {
    case chatCompletions = "chat_completions"
    case completions
    case embeddings
    case rerank
    case tokenize
    case detokenize
    case models = "openai_models"

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
        case "/v1/models": route = .models
        default: return nil
        }
        let expected = route == .models ? "GET" : "POST"
        guard method == expected else {
            throw ServingError(
                .notFound, "Not found: \(method) \(path); it takes \(expected)",
                cause: OpenAIErrorDetail(code: "method_not_found"))
        }
        self = route
    }
}
