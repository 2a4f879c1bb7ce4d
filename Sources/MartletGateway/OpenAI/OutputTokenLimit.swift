import MartletCore

/// How long one answer of a language model may be.
///
/// A request that asks for more is refused. One that does not say how much it wants is sent on with
/// a number: nodes would go on to the end of their context.
struct OutputTokenLimit: Sendable, Equatable {
    /// The key of files of credentials and of policies.
    static let key = "output_tokens_per_request"

    /// How requests say how long their answer may be: by OpenAI's API, and by llama.cpp's server,
    /// which takes its own name for more than the others.
    private static let names: Set<String> = [
        "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict",
    ]

    /// As deep as nodes read.
    private static let depthMax = 512

    /// The tokens of an answer where a request for a completion says nothing, by OpenAI's API.
    private static let completionStandard = 16

    /// The most tokens.
    let most: Int

    /// Holds a request to the limit.
    ///
    /// - Parameters:
    ///   - body: its body.
    ///   - call: what it asks.
    ///   - replacesLength: whether what it says of its length is not its client's, and counts for
    ///     nothing.
    /// - Returns: the body that is sent on in its place; nil where it stays as it is.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and limit for one that
    ///   asks for more; for one whose body cannot be read too, as a node might read it otherwise.
    func applied(
        to body: [UInt8], of call: OpenAICall, replacesLength: Bool = false
    ) throws(ServingError) -> [UInt8]? {
        let wish = try wish(in: body, isOpen: replacesLength)
        if let asked = wish.asked {
            guard !wish.nulls.isEmpty else { return nil }
            return OutputTokenLimit.body(body, with: asked.text, at: wish.nulls)
        }
        let standard = call == .completions ? OutputTokenLimit.completionStandard : most
        let number = "\(min(standard, most))"
        guard wish.nulls.isEmpty else {
            return OutputTokenLimit.body(body, with: number, at: wish.nulls)
        }
        let name = call == .responses ? "max_output_tokens" : "max_tokens"
        let member = "\"\(name)\":\(number)" + (wish.hasMembers ? "," : "")
        return OutputTokenLimit.body(body, with: member, at: [wish.start..<wish.start])
    }

    /// Whether a body that keeps to a limit says how long its answer may be.
    static func isAsked(in body: [UInt8]) -> Bool {
        do throws(ServingError) {
            return try OutputTokenLimit(most: .max).wish(in: body).asked != nil
        } catch {
            return false
        }
    }

    /// What a body says of the length of its answer.
    private struct Wish {
        /// Behind the brace that opens the body.
        let start: Int
        var hasMembers = false
        /// The least number of tokens that it asks for, as it says it; nil where it says none.
        var asked: (tokens: Double, text: String)?
        /// Members that could say it and are null, or count for nothing: of two of one name the
        /// last may count.
        var nulls: [Range<Int>] = []
    }

    private func wish(
        in body: [UInt8], isOpen: Bool = false
    ) throws(ServingError) -> Wish {
        var walk = JSONWalk(body, depthMax: OutputTokenLimit.depthMax)
        guard case .open(true, let brace)? = walk.next() else { throw OutputTokenLimit.unreadable }
        var wish = Wish(start: brace + 1)
        while let event = walk.next() {
            switch event {
            case .name(let name):
                let key = body[name.range].dropFirst().dropLast()
                guard let value = walk.next(), let end = walk.skip(value),
                    !key.contains(UInt8(ascii: "\\"))
                else { throw OutputTokenLimit.unreadable }
                wish.hasMembers = true
                let text = String(decoding: key, as: UTF8.self)
                guard OutputTokenLimit.names.contains(text) else { continue }
                let range = OutputTokenLimit.range(of: value, to: end)
                if isOpen {
                    wish.nulls.append(range)
                } else {
                    try take(text, range, body, &wish)
                }
            case .close: continue
            case .end: return wish
            case .open, .scalar: throw OutputTokenLimit.unreadable
            }
        }
        throw OutputTokenLimit.unreadable
    }

    private static func range(of value: JSONWalk.Event, to end: Int) -> Range<Int> {
        switch value {
        case .scalar(let token): token.range
        case .open(_, let start): start..<max(start, end)
        case .close, .name, .end: end..<end
        }
    }

    private func take(
        _ name: String, _ range: Range<Int>, _ body: [UInt8], _ wish: inout Wish
    ) throws(ServingError) {
        let text = String(decoding: body[range].prefix(32), as: UTF8.self)
        if text == "null" {
            wish.nulls.append(range)
            return
        }
        guard range.count <= 32, let tokens = Double(text), tokens >= 0, tokens <= Double(most)
        else {
            throw .invalidArgument(
                "'\(name)' is \(text); give a number up to \(most), which is how many tokens an "
                    + "answer may have here (\(OutputTokenLimit.key))")
        }
        if tokens < wish.asked?.tokens ?? .infinity { wish.asked = (tokens, text) }
    }

    private static var unreadable: ServingError {
        .invalidArgument(
            "Answers are limited in length here (\(key)), so the body must be a JSON object, sent "
                + "without compression, whose names have no escapes")
    }

    /// The same body with a text in some of its places, which are in order.
    private static func body(
        _ body: [UInt8], with text: String, at places: [Range<Int>]
    ) -> [UInt8] {
        var other: [UInt8] = []
        other.reserveCapacity(body.count + text.utf8.count * places.count)
        var position = 0
        for place in places {
            other += body[position..<place.lowerBound]
            other += Array(text.utf8)
            position = place.upperBound
        }
        return other + body[position...]
    }
}

extension OpenAICall {
    /// Whether its answer has as many tokens as the request wants.
    var hasChosenLength: Bool {
        switch self {
        case .chatCompletions, .completions, .responses: true
        case .embeddings, .rerank, .rerankV2, .plainRerank, .tokenize, .detokenize: false
        }
    }
}
