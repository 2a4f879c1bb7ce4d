/// The answers of `/tokenize` and `/detokenize`, readable by clients of llama.cpp's server and of
/// vLLM alike: each skips the members of the other.
enum TokenizeAnswer {
    /// The tokens of a text, as numbers.
    static func encode(_ tokens: [Int32], contextTokens: Int) -> [UInt8] {
        encode(contextTokens: contextTokens, count: tokens.count) { bytes in
            bytes.appendJSON(list: tokens) { $0.appendJSON(Int($1)) }
        }
    }

    /// The tokens of a text, each with its own text: for llama.cpp's clients as objects in
    /// `tokens`, where one that is a part of a character is a list of its bytes.
    static func encode(
        _ tokens: [Int32], pieces: [[UInt8]], contextTokens: Int
    ) -> [UInt8] {
        encode(contextTokens: contextTokens, count: tokens.count) { bytes in
            bytes.appendJSON(list: zip(tokens, pieces)) { bytes, token in
                bytes.append(contentsOf: #"{"id":"#.utf8)
                bytes.appendJSON(Int(token.0))
                bytes.append(contentsOf: #","piece":"#.utf8)
                if let text = String(validating: token.1, as: UTF8.self) {
                    bytes.appendJSON(text)
                } else {
                    bytes.appendJSON(list: token.1) { $0.appendJSON(Int($1)) }
                }
                bytes.append(UInt8(ascii: "}"))
            }
        }
    }

    /// The text of tokens, as `content` and `prompt`; what is not UTF-8 is written as U+FFFD.
    static func encode(text: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](#"{"content":"#.utf8)
        bytes.appendJSON(lossy: text)
        bytes.append(contentsOf: #","prompt":"#.utf8)
        bytes.appendJSON(lossy: text)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func encode(
        contextTokens: Int, count: Int, tokens: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var bytes = [UInt8](#"{"tokens":"#.utf8)
        tokens(&bytes)
        bytes.append(contentsOf: #","count":"#.utf8)
        bytes.appendJSON(count)
        bytes.append(contentsOf: #","max_model_len":"#.utf8)
        bytes.appendJSON(contextTokens)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
