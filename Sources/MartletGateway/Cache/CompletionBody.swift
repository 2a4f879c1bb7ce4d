/// What decides in the body of a chat or a completion by OpenAI's API whether its answer is the
/// same each time.
///
/// Only the outermost members are looked at. One that is there twice counts by its last; such a
/// body has no canonical form (``CanonicalJSON``) and so is not cacheable anyway.
struct CompletionBody {
    /// The model, as the request names it.
    let model: String
    /// Whether the answer is whole, one, and by the likeliest tokens.
    ///
    /// `temperature` is 0 then, `stream` is not true, `n` and `best_of` are 1. What is absent is as
    /// by default, and the default of `temperature` is not 0.
    let isDeterministic: Bool

    /// Deepest nesting; as ``PromptReader``'s.
    private static let depthMax = 64

    /// Reads a body; nil for what is no JSON object, is too deep, or names no model by a plain
    /// text.
    init?(_ body: [UInt8]) {
        var walk = JSONWalk(body, depthMax: CompletionBody.depthMax)
        guard case .open(true, _)? = walk.next() else { return nil }
        var values: [String: String] = [:]
        var isWhole = false
        reading: while let event = walk.next() {
            switch event {
            case .name(let name):
                guard let value = walk.next(), let end = walk.skip(value) else { return nil }
                let key = String(decoding: body[name.range].dropFirst().dropLast(), as: UTF8.self)
                // It may be one of those that are looked at, spelled otherwise.
                guard !key.utf8.contains(UInt8(ascii: "\\")) else { return nil }
                // What has a bracket around it is none of those that are looked at.
                values[key] = "{"
                if case .scalar(let token) = value, end - token.range.lowerBound <= 256 {
                    values[key] = String(decoding: body[token.range], as: UTF8.self)
                }
            case .close: continue
            case .end:
                isWhole = true
                break reading
            case .open, .scalar: return nil
            }
        }
        guard isWhole, let model = values["model"], model.hasPrefix("\""), model.utf8.count > 2,
            !model.utf8.contains(UInt8(ascii: "\\"))
        else { return nil }
        self.model = String(model.dropFirst().dropLast())
        isDeterministic =
            values["temperature"].flatMap { Double($0) } == 0
            && ["false", "null"].contains(values["stream"] ?? "null")
            && CompletionBody.isOne(values["n"]) && CompletionBody.isOne(values["best_of"])
    }

    private static func isOne(_ text: String?) -> Bool {
        guard let text, text != "null" else { return true }
        return Double(text) == 1
    }
}
