/// What the body of a request by OpenAI's API says of its model and of the length of its answer.
///
/// Only the outermost members are looked at.
struct CompletionRequest: Sendable, Equatable {
    /// The model, as the request names it; nil where it names none, or by a text with escapes.
    private(set) var model: String?
    /// Tokens that the answer may have; nil where the request does not say.
    private(set) var tokens: Int?
    /// Whether the answer is to come as a stream.
    private(set) var isStream = false

    /// Where the model's name is in the body, quotes included: of a member that is there twice some
    /// readers take the first, and others the last.
    private var modelPlaces: [Range<Int>] = []

    /// Deepest nesting; as ``PromptReader``'s.
    private static let depthMax = 64

    /// Reads a body; nil for what is no JSON object, is too deep, or has a name with escapes, which
    /// may be one of those that are looked at.
    init?(_ body: [UInt8]) {
        var walk = JSONWalk(body, depthMax: CompletionRequest.depthMax)
        guard case .open(true, _)? = walk.next() else { return nil }
        while let event = walk.next() {
            switch event {
            case .name(let name):
                guard let value = walk.next(), walk.skip(value) != nil else { return nil }
                let key = body[name.range].dropFirst().dropLast()
                guard !key.contains(UInt8(ascii: "\\")) else { return nil }
                if case .scalar(let token) = value {
                    take(key, token.range, body)
                } else if key.elementsEqual("model".utf8) {
                    return nil
                }
            case .close: continue
            case .end: return
            case .open, .scalar: return nil
            }
        }
        return nil
    }

    private mutating func take(_ key: ArraySlice<UInt8>, _ range: Range<Int>, _ body: [UInt8]) {
        switch String(decoding: key, as: UTF8.self) {
        case "model":
            modelPlaces.append(range)
            model = CompletionRequest.plainText(body[range])
        case "max_tokens", "max_completion_tokens":
            guard range.count <= 32,
                let number = Double(String(decoding: body[range], as: UTF8.self)), number >= 0
            else { return }
            let bounded = Int(min(number, Double(TokenTimes.tokensMax)))
            tokens = max(tokens ?? 0, bounded)
        case "stream": isStream = body[range].elementsEqual("true".utf8)
        default: return
        }
    }

    /// The text of a string of JSON without escapes.
    static func plainText(_ token: ArraySlice<UInt8>) -> String? {
        guard token.first == UInt8(ascii: "\""), token.count > 2,
            !token.contains(UInt8(ascii: "\\"))
        else { return nil }
        return String(decoding: token.dropFirst().dropLast(), as: UTF8.self)
    }

    /// The same body, which asks another model.
    ///
    /// - Parameters:
    ///   - body: the body that this was read from.
    ///   - model: the other model, which needs no escapes.
    /// - Returns: the new body.
    func body(_ body: [UInt8], asking model: String) -> [UInt8] {
        var other: [UInt8] = []
        other.reserveCapacity(body.count + model.utf8.count * modelPlaces.count)
        var position = 0
        for place in modelPlaces {
            other += body[position..<place.lowerBound]
            other += Array("\"\(model)\"".utf8)
            position = place.upperBound
        }
        return other + body[position...]
    }
}
