import Yams

/// A value of a configuration file, and where it stands.
public struct ConfigurationValue {
    /// The keys and indices that lead here, such as `routes[1].name`; empty for the whole file.
    public let keyPath: String
    /// The line, counted from 1.
    public let line: Int
    /// The column, counted from 1 in Unicode scalars.
    public let column: Int

    let node: Node

    /// A value that stands where its node does, or else where `place` does.
    init(keyPath: String, node: Node, near place: (line: Int, column: Int)) {
        self.keyPath = keyPath
        self.node = node
        line = node.mark?.line ?? place.line
        column = node.mark?.column ?? place.column
    }

    /// The items of a list; nil if it is none.
    public var items: [ConfigurationValue]? {
        guard case .sequence(let nodes) = node else { return nil }
        return nodes.enumerated().map { index, node in
            ConfigurationValue(keyPath: "\(keyPath)[\(index)]", node: node, near: (line, column))
        }
    }

    /// A key of a section as it stands, and its value.
    struct Member {
        /// The key; nil if it is not a text.
        let name: String?
        /// The place of the key.
        let key: ConfigurationValue
        let value: ConfigurationValue
    }

    /// The keys of a section, known or not; nil if it is none.
    var members: [Member]? {
        guard case .mapping(let mapping) = node else { return nil }
        return mapping.map { key, node in
            let name = key.scalar?.string
            let path = Self.join(keyPath, name.map { String($0.prefix(60)) } ?? "?")
            let place = ConfigurationValue(keyPath: path, node: key, near: (line, column))
            return Member(
                name: name, key: place,
                value: ConfigurationValue(
                    keyPath: path, node: node, near: (place.line, place.column)))
        }
    }

    /// How many keys a section has, strange ones included; nil if it is none.
    public var keyCount: Int? {
        guard case .mapping(let mapping) = node else { return nil }
        return mapping.count
    }

    /// The text of a scalar, quoted or not; nil if it is none.
    public var text: String? {
        guard case .scalar(let scalar) = node else { return nil }
        return scalar.string
    }

    /// The text of a scalar without quotes; nil if it is none.
    public var plainText: String? {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return nil }
        return scalar.string
    }

    /// Whether nothing stands behind the key.
    public var isEmpty: Bool {
        plainText.map { ["", "~", "null", "Null", "NULL"].contains($0) } ?? false
    }

    /// What stands there, shortened, for messages.
    public var shown: String {
        switch node {
        case .scalar(let scalar):
            let text = scalar.string.count > 60 ? scalar.string.prefix(60) + "..." : scalar.string
            return "'\(text)'"
        case .sequence: return "a list"
        case .mapping: return "a section of keys"
        case .alias: return "an alias"
        }
    }

    /// The keys that lead to a key below others.
    static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }
}

extension ConfigurationValue {
    /// The whole number that stands here; nil, and a problem noted, if there is none in the range.
    func integer(
        in range: ClosedRange<Int>, unit: String = "", problems: inout ConfigurationProblems
    ) -> Int? {
        let expected =
            "expected a whole number from \(range.lowerBound) to \(range.upperBound)\(unit)"
        guard let number = plainText.flatMap({ Int($0) }) else {
            problems.add(self, "\(foundNoNumber); \(expected)\(remedyForQuotes)")
            return nil
        }
        guard range.contains(number) else {
            problems.add(self, "\(number) is out of range; \(expected)")
            return nil
        }
        return number
    }

    /// The number that stands here, with or without a fraction; nil, and a problem noted, if there
    /// is none in the range.
    func number(
        in range: ClosedRange<Double>, unit: String = "", problems: inout ConfigurationProblems
    ) -> Double? {
        let bounds = [range.lowerBound, range.upperBound].map(ConfigurationValue.written)
        let expected = "expected a number from \(bounds[0]) to \(bounds[1])\(unit)"
        guard let text = plainText, let number = ConfigurationValue.decimal(text) else {
            problems.add(self, "\(foundNoNumber); \(expected)\(remedyForQuotes)")
            return nil
        }
        guard range.contains(number) else {
            problems.add(self, "\(text) is out of range; \(expected)")
            return nil
        }
        return number
    }

    /// A number as people write it: whole ones without a fraction.
    static func written(_ number: Double) -> String {
        Int(exactly: number).map { String($0) } ?? String(number)
    }

    /// A finite number in decimal digits; Swift would take hexadecimal ones and `nan` too.
    private static func decimal(_ text: String) -> Double? {
        let isDecimal = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte)
        }
        guard isDecimal, let number = Double(text), number.isFinite else { return nil }
        return number
    }

    private var foundNoNumber: String { isEmpty ? "no value" : "\(shown) is not a number" }

    private var remedyForQuotes: String {
        plainText == nil && text.flatMap(ConfigurationValue.decimal) != nil
            ? "; remove the quotes" : ""
    }
}
