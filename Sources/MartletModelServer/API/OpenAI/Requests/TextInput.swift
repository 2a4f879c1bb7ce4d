import MartletCore
import MartletTensors

/// A text for a model, as text or as the tokens it was cut into before.
enum TextInput: Sendable, Equatable {
    case text(String)
    case tokens([Int32])

    /// Reads a member that is a text, a list of tokens, or a list of texts and lists of tokens.
    ///
    /// - Parameters:
    ///   - name: the member, which must be there and not be empty.
    ///   - fields: the request.
    ///   - countMaximum: most texts.
    ///   - bounds: limits.
    /// - Returns: the texts, at least one.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the element at fault.
    static func list(
        _ name: String, in fields: RequestFields, countMaximum: Int, bounds: OpenAILimits
    ) throws -> [TextInput] {
        let value = try fields.required(name, fields.value(name))
        let path = fields.path(of: name)
        guard case .list(let elements) = value else {
            return [try TextInput(value, at: path, bounds: bounds)]
        }
        if case .integer? = elements.first {
            return [try TextInput(value, at: path, bounds: bounds)]
        }
        guard !elements.isEmpty else {
            throw ServingError.invalidField(
                path, .emptyList, "'\(path)' is an empty list; give at least one text")
        }
        try RequestFields.check(elements.count, of: path, countMaximum: countMaximum)
        return try elements.enumerated().map { index, element in
            try TextInput(element, at: "\(path)[\(index)]", bounds: bounds)
        }
    }

    private init(_ value: JSONValue, at path: String, bounds: OpenAILimits) throws {
        switch value {
        case .text(let text):
            guard !text.isEmpty else {
                throw ServingError.invalidField(
                    path, .wrongValue, "'\(path)' is an empty text; give at least one character")
            }
            self = .text(text)
        case .list(let elements):
            guard !elements.isEmpty else {
                throw ServingError.invalidField(
                    path, .emptyList, "'\(path)' is an empty list; give at least one token")
            }
            self = .tokens(try TextInput.tokens(elements, at: path, bounds: bounds))
        default: throw RequestFields.wrong(path, value, .wrongType, "text or a list of tokens")
        }
    }

    /// Reads a list of token numbers; whether the vocabulary has them is for the engine to check.
    static func tokens(
        _ elements: [JSONValue], at path: String, bounds: OpenAILimits
    ) throws -> [Int32] {
        try RequestFields.check(elements.count, of: path, countMaximum: bounds.inputTokens)
        var tokens: [Int32] = []
        tokens.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard case .integer(let number) = element, number >= 0,
                let token = Int32(exactly: number)
            else {
                throw RequestFields.wrong(
                    "\(path)[\(index)]", element,
                    element.double == nil ? .wrongType : .wrongValue,
                    "the number of a token, 0 or more")
            }
            tokens.append(token)
        }
        return tokens
    }
}
