import MartletCore

/// What OpenAI's error object says besides its message; the cause of a `ServingError`.
///
/// So every layer keeps throwing the one error, and only this API's answers read the detail.
struct OpenAIErrorDetail: Error, Sendable, Equatable {
    /// The field of the request that is to blame, such as `messages[2].role`.
    var param: String?

    /// A name for programs, such as `context_length_exceeded`.
    var code: String?

    /// How long the client should wait before it tries again.
    var retryAfter: Duration?
}

/// What is wrong with a field; raw values are the codes OpenAI's servers send.
enum FieldFault: String, Sendable {
    case missing = "missing_required_parameter"
    case wrongType = "invalid_type"
    case wrongValue = "invalid_value"
    case unsupported = "unsupported_parameter"
    case emptyList = "empty_array"
    case tooMany = "array_above_max_length"
    case tooLong = "string_above_max_length"
}

extension ServingError {
    /// A field that the caller has to change; empty for the request as a whole.
    static func invalidField(
        _ param: String, _ fault: FieldFault, _ message: String
    ) -> ServingError {
        ServingError(
            .invalidArgument, message,
            cause: OpenAIErrorDetail(
                param: param.isEmpty ? nil : param, code: fault.rawValue))
    }

    /// A model that no node offers by this name.
    static func unknownModel(_ model: String) -> ServingError {
        ServingError(
            .notFound,
            "the model '\(model.prefix(128))' does not exist; GET /v1/models lists those that do",
            cause: OpenAIErrorDetail(param: "model", code: "model_not_found"))
    }

    /// A model that is served, but not made for what the request asks of it.
    ///
    /// No 501, as the engine would say: OpenAI's clients take 5xx for passing, and try again.
    ///
    /// - Parameters:
    ///   - model: the name that the request gave.
    ///   - lack: what it does not do, as in `makes no embeddings`.
    /// - Returns: the error.
    static func unsuitableModel(_ model: String, _ lack: String) -> ServingError {
        ServingError(
            .invalidArgument,
            "the model '\(model.prefix(128))' \(lack); name one that does",
            cause: OpenAIErrorDetail(param: "model", code: "model_not_supported"))
    }

    /// A prompt that, with the tokens asked for, does not fit the model's context.
    ///
    /// - Parameters:
    ///   - promptTokens: tokens of the prompt.
    ///   - outputTokens: tokens the request asks for; `nil` when it leaves that open.
    ///   - contextTokens: tokens the context of the model holds.
    ///   - param: the field that brought the prompt.
    /// - Returns: the error, which says all numbers and what to change.
    static func contextLengthExceeded(
        promptTokens: Int, outputTokens: Int?, contextTokens: Int, param: String
    ) -> ServingError {
        let output = outputTokens.map { " and \($0) more are asked for" } ?? ""
        let room = contextTokens - promptTokens
        let remedy =
            room > 0 && outputTokens != nil
            ? "shorten the prompt, or ask for at most \(room) tokens" : "shorten the prompt"
        return ServingError(
            .invalidArgument,
            "the prompt has \(promptTokens) tokens\(output), but the context of the model holds "
                + "\(contextTokens); \(remedy)",
            cause: OpenAIErrorDetail(param: param, code: "context_length_exceeded"))
    }

    /// The same error, with the time to wait before another attempt is worth it.
    func retrying(after wait: Duration?) -> ServingError {
        var detail = cause as? OpenAIErrorDetail ?? OpenAIErrorDetail()
        detail.retryAfter = wait
        return ServingError(code, message, cause: detail)
    }
}

/// An error as OpenAI's clients know it: a status and a body.
struct OpenAIErrorAnswer: Sendable, Equatable {
    /// The HTTP status.
    let status: Int

    /// Whole seconds for the field `Retry-After` (RFC 9110, section 10.2.3); `nil` for none.
    let retryAfterSeconds: Int?

    /// The body: `{"error":{"message":...,"type":...,"param":...,"code":...}}`.
    let body: [UInt8]

    /// The answer to any error; one that is no `ServingError` is an internal error.
    init(_ error: any Error) {
        let error = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        let detail = error.cause as? OpenAIErrorDetail
        status = error.code.httpStatus
        let wait = detail?.retryAfter ?? (status == 429 ? .seconds(1) : nil)
        retryAfterSeconds = wait.map(OpenAIErrorAnswer.wholeSeconds)
        var body: [UInt8] = []
        body.append(contentsOf: #"{"error":{"message":"#.utf8)
        body.appendJSON(error.message)
        body.append(contentsOf: #","type":"#.utf8)
        body.appendJSON(OpenAIErrorAnswer.type(of: error.code))
        body.append(contentsOf: #","param":"#.utf8)
        body.appendJSON(detail?.param)
        body.append(contentsOf: #","code":"#.utf8)
        body.appendJSON(detail?.code ?? OpenAIErrorAnswer.defaultCode(of: error.code))
        body.append(contentsOf: "}}".utf8)
        self.body = body
    }

    /// The same as an event, for a stream whose status has been sent already.
    var event: [UInt8] { ServerSentEvents.event(body) }

    /// Rounded up, from 1 second to a day: 0 would invite an attempt at once.
    private static func wholeSeconds(_ wait: Duration) -> Int {
        let clamped = min(max(wait, .seconds(1)), .seconds(86_400)).components
        return Int(clamped.seconds) + (clamped.attoseconds > 0 ? 1 : 0)
    }

    private static func type(of code: StatusCode) -> String {
        switch code {
        case .resourceExhausted: "rate_limit_error"
        case .unauthenticated: "authentication_error"
        case .permissionDenied: "permission_error"
        default: code.httpStatus < 499 ? "invalid_request_error" : "server_error"
        }
    }

    private static func defaultCode(of code: StatusCode) -> String? {
        switch code {
        case .unauthenticated: "invalid_api_key"
        case .permissionDenied: "permission_denied"
        case .notFound: "model_not_found"
        case .resourceExhausted: "rate_limit_exceeded"
        case .unavailable: "service_unavailable"
        case .deadlineExceeded: "timeout"
        case .cancelled: "cancelled"
        case .unknown, .internal, .dataLoss: "internal_error"
        default: nil
        }
    }
}
