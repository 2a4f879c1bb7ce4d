/// What every part of one answer says of the answer.
struct AnswerIdentity: Sendable, Equatable {
    /// What an answer is of; raw values open its identifier.
    enum Kind: String, Sendable {
        case chat = "chatcmpl-"
        case completion = "cmpl-"
        case rerank = "rerank-"
    }

    /// Its identifier, such as `chatcmpl-` and 32 hexadecimal digits.
    let id: String

    /// When it was begun, in whole seconds since 1970.
    let created: Int

    /// The model's name, as the client wrote it.
    let model: String

    /// What may change the answers of the same seed: model version, engine; `nil` for none.
    let fingerprint: String?

    /// Names an answer.
    init(
        _ kind: Kind, created: Int, model: String, fingerprint: String? = nil,
        using random: inout some RandomNumberGenerator
    ) {
        id = kind.rawValue + AnswerIdentity.hexadecimal(32, using: &random)
        self.created = created
        self.model = model
        self.fingerprint = fingerprint
    }

    /// A new identifier for a call of a tool.
    static func toolCallID(using random: inout some RandomNumberGenerator) -> String {
        "call_" + hexadecimal(24, using: &random)
    }

    private static func hexadecimal(
        _ count: Int, using random: inout some RandomNumberGenerator
    ) -> String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var text: [UInt8] = []
        while text.count < count {
            var bits: UInt64 = random.next()
            for _ in 0..<16 {
                text.append(digits[Int(bits & 15)])
                bits >>= 4
            }
        }
        return String(decoding: text.prefix(count), as: UTF8.self)
    }

    /// Appends `{"id":...,"object":...,"created":...,"model":...,"system_fingerprint":...`, the
    /// object still open.
    func appendHead(object: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        bytes.appendJSON(id)
        bytes.append(contentsOf: #","object":"#.utf8)
        bytes.appendJSON(object)
        bytes.append(contentsOf: #","created":"#.utf8)
        bytes.appendJSON(created)
        bytes.append(contentsOf: #","model":"#.utf8)
        bytes.appendJSON(model)
        bytes.append(contentsOf: #","system_fingerprint":"#.utf8)
        bytes.appendJSON(fingerprint)
    }
}

/// Why an answer ended; raw values are the API's.
enum OpenAIFinishReason: String, Sendable {
    /// The model ended it, or a stop sequence did.
    case stop
    /// It reached `max_tokens`, or the end of the context.
    case length
    /// The model called tools.
    case toolCalls = "tool_calls"
}

/// Tokens that a request took.
struct TokenUsage: Sendable, Equatable {
    /// Tokens of the prompts, each prompt once however many answers it has.
    var promptTokens: Int

    /// Those of them whose computation an earlier request had done.
    var cachedTokens = 0

    /// Tokens generated for all choices.
    var completionTokens: Int

    /// Appends the object `usage`.
    func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"prompt_tokens":"#.utf8)
        bytes.appendJSON(promptTokens)
        bytes.append(contentsOf: #","completion_tokens":"#.utf8)
        bytes.appendJSON(completionTokens)
        bytes.append(contentsOf: #","total_tokens":"#.utf8)
        bytes.appendJSON(promptTokens + completionTokens)
        bytes.append(contentsOf: #","prompt_tokens_details":{"cached_tokens":"#.utf8)
        bytes.appendJSON(cachedTokens)
        bytes.append(contentsOf: "}}".utf8)
    }

    /// Appends the event of a stream that has the usage and no choice.
    ///
    /// `head` is the event's beginning, up to the value of `choices`.
    func appendChunk(head: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: head)
        bytes.append(contentsOf: #"[],"usage":"#.utf8)
        append(to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        bytes.append(contentsOf: ServerSentEvents.ending.utf8)
    }

    /// Appends the `usage` of an API that generates nothing, such as embeddings.
    static func appendPromptOnly(_ promptTokens: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"prompt_tokens":"#.utf8)
        bytes.appendJSON(promptTokens)
        bytes.append(contentsOf: #","total_tokens":"#.utf8)
        bytes.appendJSON(promptTokens)
        bytes.append(UInt8(ascii: "}"))
    }
}
