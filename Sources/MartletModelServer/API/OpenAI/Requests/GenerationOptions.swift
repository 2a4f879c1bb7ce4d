import MartletCore
import MartletTensors

/// What chat and legacy completions have in common.
struct GenerationOptions: Sendable, Equatable {
    /// The model's name, as the client wrote it.
    var model: String

    /// How tokens are drawn.
    var sampling: SamplingOptions

    /// Answers to each prompt (`n`), 1 or more.
    var choices: Int

    /// Texts that end an answer, themselves not part of it; none of them empty.
    var stop: [String]

    /// Most tokens of an answer; `nil` for as many as fit the context.
    var outputTokensMaximum: Int?

    /// Whether the model's end-of-text token does not end an answer; for benchmarks, as in
    /// llama.cpp's server and vLLM.
    var ignoresEndOfText: Bool

    /// Whether the answer comes as server-sent events.
    var streams: Bool

    /// Whether a stream ends with a chunk that has the usage (`stream_options.include_usage`).
    var includesUsage: Bool

    /// Prompts share what was computed of their beginnings only with prompts of the same salt
    /// (`cache_salt`, as in vLLM); `nil` for those without one.
    var cacheSalt: String?

    /// The end user the request is made for.
    var user: String?

    /// Reads the members of a request.
    ///
    /// - Parameters:
    ///   - fields: the request.
    ///   - bounds: limits.
    ///   - outputTokensLeast: the least `max_tokens` may be.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(_ fields: RequestFields, bounds: OpenAILimits, outputTokensLeast: Int64 = 1) throws {
        model = try RequestFields.model(fields, bounds: bounds)
        sampling = try SamplingOptions(fields, bounds: bounds)
        choices = Int(try fields.whole("n", in: 1...Int64(max(1, bounds.choices))) ?? 1)
        stop = try GenerationOptions.stop(fields, bounds: bounds)
        outputTokensMaximum = try GenerationOptions.outputTokens(fields, least: outputTokensLeast)
        ignoresEndOfText = try fields.flag("ignore_eos") ?? false
        streams = try fields.flag("stream") ?? false
        let usage = try fields.fields("stream_options")?.flag("include_usage") ?? false
        guard streams || !usage else {
            throw ServingError.invalidField(
                "stream_options", .wrongValue,
                "'stream_options.include_usage' is true, but 'stream' is not; only a stream has "
                    + "it, any other answer has its usage always")
        }
        includesUsage = usage
        cacheSalt = try GenerationOptions.cacheSalt(fields, bounds: bounds)
        user = try fields.text("user", bytesMaximum: bounds.nameBytes)
    }

    private static func cacheSalt(
        _ fields: RequestFields, bounds: OpenAILimits
    ) throws -> String? {
        let salt = try fields.text("cache_salt", bytesMaximum: bounds.nameBytes)
        guard salt != "" else {
            throw fields.wrong("cache_salt", .text(""), "text of at least one character")
        }
        return salt
    }

    private static func stop(_ fields: RequestFields, bounds: OpenAILimits) throws -> [String] {
        guard let value = try fields.value("stop") else { return [] }
        let path = fields.path(of: "stop")
        let elements: [JSONValue]
        switch value {
        case .text: elements = [value]
        case .list(let list): elements = list
        default:
            throw RequestFields.wrong(path, value, .wrongType, "text or a list of texts")
        }
        try RequestFields.check(elements.count, of: path, countMaximum: bounds.stopSequences)
        return try elements.map { element in
            guard case .text(let text) = element else {
                throw RequestFields.wrong(path, element, .wrongType, "text or a list of texts")
            }
            guard !text.isEmpty, text.utf8.count <= bounds.stopBytes else {
                throw ServingError.invalidField(
                    path, text.isEmpty ? .wrongValue : .tooLong,
                    "'\(path)' has a text of \(text.utf8.count) bytes; each must have from 1 to "
                        + "\(bounds.stopBytes)")
            }
            return text
        }
    }

    /// `max_completion_tokens` took the place of `max_tokens` in chat; both mean the same here.
    private static func outputTokens(_ fields: RequestFields, least: Int64) throws -> Int? {
        let range = least...Int64(Int32.max)
        let old = try fields.whole("max_tokens", in: range)
        let new = try fields.whole("max_completion_tokens", in: range)
        if let old, let new, old != new {
            throw ServingError.invalidField(
                "max_tokens", .wrongValue,
                "'max_tokens' is \(old) and 'max_completion_tokens' is \(new); give only one")
        }
        return (new ?? old).map(Int.init)
    }
}

extension RequestFields {
    /// The member `model`, which every request must have.
    static func model(_ fields: RequestFields, bounds: OpenAILimits) throws -> String {
        let name = try fields.required(
            "model", fields.text("model", bytesMaximum: bounds.nameBytes))
        guard !name.isEmpty else {
            throw fields.wrong("model", .text(""), "the name of a model")
        }
        return name
    }
}
