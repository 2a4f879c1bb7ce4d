/// What a token says (RFC 7519, section 4), as it says it.
struct TokenClaims: Sendable {
    /// A claim, as far as any is looked at.
    enum Value: Sendable, Equatable {
        case text(String)
        case number(Double)
        case texts([String])
        case other
    }

    private var values: [String: Value]

    init(_ values: [String: Value]) {
        self.values = values
    }

    /// A claim by its name.
    subscript(name: String) -> Value? { values[name] }

    /// A claim that is a text.
    func text(_ name: String) -> String? {
        guard case .text(let text)? = values[name] else { return nil }
        return text
    }

    /// A claim that is a moment, in seconds since 1970 began.
    ///
    /// One beyond a million years is brought back: no sum with it can overflow.
    func moment(_ name: String) -> Duration? {
        guard case .number(let seconds)? = values[name] else { return nil }
        return .seconds(min(max(seconds, -3e13), 3e13))
    }

    /// Whether a claim is there.
    func has(_ name: String) -> Bool { values[name] != nil }

    /// A claim that is a text or a list of texts.
    func texts(_ name: String) -> [String] {
        switch values[name] {
        case .text(let text): [text]
        case .texts(let texts): texts
        case .number, .other, nil: []
        }
    }

    /// A claim that is a list of texts, or one text of words (RFC 8693, section 4.2).
    func words(_ name: String) -> [String] {
        texts(name).flatMap { $0.split(separator: " ").map(String.init) }
    }
}

extension TokenClaims: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        var values: [String: Value] = [:]
        for name in container.allKeys {
            values[name.stringValue] = try container.decode(Value.self, forKey: name)
        }
        self.values = values
    }
}

extension TokenClaims.Value: Decodable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // In this order: a JSON boolean is no number, and a number no text.
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if (try? container.decode(Bool.self)) == nil,
            let number = try? container.decode(Double.self)
        {
            self = .number(number)
        } else if let texts = try? container.decode([String].self) {
            self = .texts(texts)
        } else {
            self = .other
        }
    }
}
