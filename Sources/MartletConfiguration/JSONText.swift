/// A small JSON document, written with its keys in the order given.
indirect enum JSONText {
    case raw(String)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    /// A whole number.
    static func integer(_ number: Int) -> JSONText { .raw("\(number)") }

    /// The text, indented by two spaces a level.
    func written(indent: Int = 0) -> String {
        let inner = String(repeating: " ", count: indent + 2)
        let outer = String(repeating: " ", count: indent)
        switch self {
        case .raw(let text): return text
        case .string(let text): return JSONText.quoted(text)
        case .array(let items):
            if items.allSatisfy(\.isScalar) {
                return "[\(items.map { $0.written() }.joined(separator: ", "))]"
            }
            let lines = items.map { inner + $0.written(indent: indent + 2) }
            return "[\n\(lines.joined(separator: ",\n"))\n\(outer)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { key, value in
                "\(inner)\(JSONText.quoted(key)): \(value.written(indent: indent + 2))"
            }
            return "{\n\(lines.joined(separator: ",\n"))\n\(outer)}"
        }
    }

    private var isScalar: Bool {
        switch self {
        case .raw, .string: true
        case .array, .object: false
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
