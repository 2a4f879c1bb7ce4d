/// How a value is written in a configuration file: what is taken, how it is read, and how it is
/// shown again.
public struct ConfigurationForm<Value: Sendable>: Sendable {
    /// What is taken, for the schema and the reference.
    public let kind: ConfigurationKind
    /// A value as the file would say it; nil where that is too long to show.
    let written: @Sendable (Value) -> String?
    /// Reads a value; nil, and a problem noted, if there is none.
    public let read: @Sendable (ConfigurationValue, inout ConfigurationProblems) -> Value?

    /// Creates a form.
    public init(
        kind: ConfigurationKind, written: @escaping @Sendable (Value) -> String? = { _ in nil },
        read: @escaping @Sendable (ConfigurationValue, inout ConfigurationProblems) -> Value?
    ) {
        self.kind = kind
        self.written = written
        self.read = read
    }
}

extension ConfigurationForm where Value == Bool {
    /// `true` or `false`; YAML's `yes` and `on` mean different things to different readers.
    public static var boolean: Self {
        ConfigurationForm(kind: .boolean, written: { "\($0)" }) { value, problems in
            switch value.plainText {
            case "true": return true
            case "false": return false
            default:
                let found = value.isEmpty ? "no value" : "\(value.shown) is neither of the two"
                problems.add(value, "\(found); expected true or false")
                return nil
            }
        }
    }
}

extension ConfigurationForm where Value == Int {
    /// A whole number.
    public static func integer(_ range: ClosedRange<Int>) -> Self {
        ConfigurationForm(kind: .integer(range), written: { "\($0)" }) { value, problems in
            value.integer(in: range, problems: &problems)
        }
    }

    /// A number of bytes, such as `1048576` or `64MiB`.
    public static func bytes(_ range: ClosedRange<Int>) -> Self {
        ConfigurationForm(kind: .bytes(range), written: { ByteCountText.written($0) }) {
            value, problems in
            let bounds = [range.lowerBound, range.upperBound].map(ByteCountText.written)
            let expected = "expected a number of bytes from \(bounds[0]) to \(bounds[1]), "
            guard let text = value.text, let bytes = ByteCountText.bytes(text) else {
                let found = value.isEmpty ? "no value" : "\(value.shown) is not a number of bytes"
                problems.add(value, "\(found); \(expected)such as 512KiB")
                return nil
            }
            guard range.contains(bytes) else {
                problems.add(value, "\(value.shown) is out of range; \(expected)such as 512KiB")
                return nil
            }
            return bytes
        }
    }
}

extension ConfigurationForm where Value == Double {
    /// A number.
    public static func number(_ range: ClosedRange<Double>) -> Self {
        ConfigurationForm(kind: .number(range), written: ConfigurationValue.written) {
            value, problems in
            value.number(in: range, problems: &problems)
        }
    }

    /// A number of hundredths; the value is the share, 1 being all.
    public static func percent(_ range: ClosedRange<Double> = 0...100) -> Self {
        ConfigurationForm(
            kind: .number(range),
            // A share such as 0.07 is not exactly seven hundredths.
            written: { ConfigurationValue.written(($0 * 1e11).rounded() / 1e9) }
        ) { value, problems in
            value.number(in: range, unit: " percent", problems: &problems).map { $0 / 100 }
        }
    }
}

extension ConfigurationForm where Value == Duration {
    /// A number of seconds.
    public static func seconds(_ range: ClosedRange<Double>) -> Self {
        ConfigurationForm(
            kind: .number(range), written: { ConfigurationValue.written($0 / .seconds(1)) }
        ) { value, problems in
            value.number(in: range, unit: " seconds", problems: &problems).map { .seconds($0) }
        }
    }

    /// A number of milliseconds.
    public static func milliseconds(_ range: ClosedRange<Double>) -> Self {
        ConfigurationForm(
            kind: .number(range), written: { ConfigurationValue.written($0 / .milliseconds(1)) }
        ) { value, problems in
            value.number(in: range, unit: " milliseconds", problems: &problems)
                .map { .milliseconds($0) }
        }
    }
}

extension ConfigurationForm {
    /// A text, turned into a value.
    ///
    /// - Parameters:
    ///   - text: what it means.
    ///   - written: the text of a value.
    ///   - parse: makes a value of a text that is not empty and has no control characters, or says
    ///     what is wrong with it, as the end of a sentence that begins with the text.
    /// - Returns: the form.
    public static func text(
        _ text: ConfigurationText, written: @escaping @Sendable (Value) -> String? = { _ in nil },
        parse: @escaping @Sendable (String) -> ConfigurationParsed<Value>
    ) -> Self {
        ConfigurationForm(kind: .text(text), written: written) { value, problems in
            guard let found = value.text(text.meaning, problems: &problems) else { return nil }
            let controls = found.unicodeScalars.contains {
                $0.properties.generalCategory == .control
            }
            let result = controls ? .wrong("contains a control character") : parse(found)
            switch result {
            case .value(let value): return value
            case .wrong(let fault):
                problems.add(value, "\(value.shown) \(fault); expected \(text.meaning)")
                return nil
            }
        }
    }
}

/// What became of a text.
public enum ConfigurationParsed<Value> {
    /// It stands for this value.
    case value(Value)
    /// It is wrong, for this reason, such as `has no port`.
    case wrong(String)
}

extension ConfigurationForm where Value == String {
    /// Any text that is not empty and has no control characters.
    public static func text(_ meaning: String) -> Self {
        text(ConfigurationText(meaning), written: { $0 }, parse: { .value($0) })
    }

    /// A text with a rule of its own, which says what is wrong.
    public static func text(
        _ text: ConfigurationText, fault: @escaping @Sendable (String) -> String?
    ) -> Self {
        .text(text, written: { $0 }) { found in fault(found).map { .wrong($0) } ?? .value(found) }
    }
}

extension ConfigurationForm
where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the cases of an enumeration.
    ///
    /// - Parameter cases: those that may be named; all unless given.
    /// - Returns: the form.
    public static func word(among cases: [Value] = Array(Value.allCases)) -> Self {
        let words = cases.map(\.rawValue)
        let meaning = "one of \(words.joined(separator: ", "))"
        return ConfigurationForm(kind: .word(words), written: { $0.rawValue }) { value, problems in
            guard let text = value.text(meaning, problems: &problems) else { return nil }
            if let word = cases.first(where: { $0.rawValue == text }) { return word }
            let nearest = nearestMatch(to: text, among: words)
            let remedy = nearest.map { "; did you mean '\($0)'?" } ?? ""
            problems.add(value, "\(value.shown) is not \(meaning)\(remedy)")
            return nil
        }
    }
}
