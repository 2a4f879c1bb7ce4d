/// A generated token with the logarithm of its probability and with what else was likely.
struct AnswerToken: Sendable, Equatable {
    /// A token that was likely.
    struct Alternative: Sendable, Equatable {
        /// The token's text; possibly a part of a character.
        var bytes: [UInt8]

        /// The natural logarithm of its probability.
        var logprob: Float
    }

    /// The token's text; possibly a part of a character.
    var bytes: [UInt8]

    /// The natural logarithm of its probability.
    var logprob: Float

    /// The most likely tokens, the likeliest first.
    var alternatives: [Alternative] = []

    /// What stands for a probability of 0, whose logarithm JSON cannot say; OpenAI's own value.
    static let impossible: Float = -9999

    /// Appends `{"content":[...],"refusal":null}`, the member `logprobs` of chat completions.
    static func appendChat(_ tokens: [AnswerToken], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"content":"#.utf8)
        bytes.appendJSON(list: tokens) { bytes, token in
            appendFields(token.bytes, token.logprob, to: &bytes)
            bytes.append(contentsOf: #","top_logprobs":"#.utf8)
            bytes.appendJSON(list: token.alternatives) { bytes, alternative in
                appendFields(alternative.bytes, alternative.logprob, to: &bytes)
                bytes.append(UInt8(ascii: "}"))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(contentsOf: #","refusal":null}"#.utf8)
    }

    /// Appends the members that a token and an alternative share, the object still open.
    private static func appendFields(
        _ token: [UInt8], _ logprob: Float, to bytes: inout [UInt8]
    ) {
        bytes.append(contentsOf: #"{"token":"#.utf8)
        bytes.appendJSON(lossy: token)
        bytes.append(contentsOf: #","logprob":"#.utf8)
        bytes.appendJSON(finite(logprob))
        bytes.append(contentsOf: #","bytes":"#.utf8)
        bytes.appendJSON(list: token) { $0.appendJSON(Int($1)) }
    }

    /// Appends the member `logprobs` of legacy completions: lists with an element a token.
    ///
    /// - Parameters:
    ///   - tokens: the tokens.
    ///   - offset: Unicode scalars of the choice's text before the first of them.
    ///   - bytes: where to write.
    /// - Returns: the offset behind the last token.
    @discardableResult
    static func appendLegacy(
        _ tokens: [AnswerToken], from offset: Int, to bytes: inout [UInt8]
    ) -> Int {
        bytes.append(contentsOf: #"{"tokens":"#.utf8)
        bytes.appendJSON(list: tokens) { $0.appendJSON(name(of: $1.bytes)) }
        bytes.append(contentsOf: #","token_logprobs":"#.utf8)
        bytes.appendJSON(list: tokens) { $0.appendJSON(finite($1.logprob)) }
        bytes.append(contentsOf: #","top_logprobs":"#.utf8)
        bytes.appendJSON(list: tokens) { appendObject($1.alternatives, to: &$0) }
        bytes.append(contentsOf: #","text_offset":"#.utf8)
        var offset = offset
        bytes.appendJSON(list: tokens) { bytes, token in
            bytes.appendJSON(offset)
            offset += String(decoding: token.bytes, as: UTF8.self).unicodeScalars.count
        }
        bytes.append(UInt8(ascii: "}"))
        return offset
    }

    /// An object has each name once, so of tokens with equal texts the likeliest stays.
    private static func appendObject(_ alternatives: [Alternative], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        var seen: Set<String> = []
        for alternative in alternatives {
            let name = name(of: alternative.bytes)
            guard seen.insert(name).inserted else { continue }
            if seen.count > 1 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSON(name)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSON(finite(alternative.logprob))
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// A token's text; one that is a part of a character is named as OpenAI does, such as
    /// `bytes:\xe2\x82`, for parts of different characters would all be U+FFFD.
    private static func name(of token: [UInt8]) -> String {
        if let text = String(validating: token, as: UTF8.self) { return text }
        return token.reduce(into: "bytes:") { name, byte in
            name += (byte < 16 ? #"\x0"# : #"\x"#) + String(byte, radix: 16)
        }
    }

    private static func finite(_ logprob: Float) -> Float {
        logprob.isFinite ? max(logprob, impossible) : impossible
    }
}
