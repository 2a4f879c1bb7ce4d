import Yams

/// Reads the YAML of a configuration file within limits.
///
/// Few letters of YAML can stand for very much: an alias repeats what its anchor names, and what is
/// repeated may have aliases in it. So values are counted as often as they are repeated.
public enum ConfigurationDocument {
    /// Bounds of a file.
    public struct Limits: Sendable, Equatable {
        /// Longest file, in bytes.
        public var bytes = 1 << 20
        /// Deepest nesting of lists and sections.
        public var depth = 32
        /// Most keys, items and values, counted again wherever an alias repeats them.
        public var values = 200_000
        /// Most aliases.
        public var aliases = 1000
        /// Most `?` that may begin a key.
        public var explicitKeys = 16

        /// The defaults.
        public init() {}
    }

    /// Reads one document.
    ///
    /// - Parameters:
    ///   - text: the YAML.
    ///   - file: where it came from, for messages.
    ///   - limits: its bounds.
    ///   - marksColumns: whether messages name columns.
    /// - Returns: the value of the whole file; a section without keys if there is nothing in it.
    /// - Throws: `ConfigurationError`, if it is not YAML or beyond a bound.
    public static func parse(
        _ text: String, file: String, limits: Limits = Limits(), marksColumns: Bool = false
    ) throws -> ConfigurationValue {
        func failure(_ place: DocumentPlace?, _ text: String) -> ConfigurationError {
            let column = marksColumns ? place?.column : nil
            return ConfigurationError(
                file: file, problems: [.init(line: place?.line, column: column, text: text)])
        }
        do {
            guard text.utf8.count <= limits.bytes else {
                throw DocumentExcess(nil, ConfigurationFile.tooLarge(limits.bytes))
            }
            try checkExplicitKeys(text, limits)
            try AliasCheck(text, limits)?.check()
            let root = try compose(text)
            if let root {
                var budget = ValueBudget(limits: limits)
                try budget.spend(on: root, depth: 1)
            }
            return ConfigurationValue(
                keyPath: "", node: root ?? Node([(Node, Node)]()), near: (1, 1))
        } catch let error as YamlError {
            throw failure(error.place, error.fault)
        } catch let excess as DocumentExcess {
            throw failure(excess.place, excess.text)
        }
    }

    /// Refuses a text with many `?` that may begin a key: such keys can be large, and have keys in
    /// them, all of which are compared by all that is in them when the document is composed.
    ///
    /// A key without `?` has at most 1024 characters.
    private static func checkExplicitKeys(_ text: String, _ limits: Limits) throws {
        var count = 0
        var previous: UInt8 = 0x20
        for byte in text.utf8 {
            let isInWord =
                (0x30...0x39).contains(previous) || (0x41...0x5A).contains(previous & 0xDF)
                || previous >= 0x80
            if byte == UInt8(ascii: "?"), !isInWord { count += 1 }
            previous = byte
        }
        guard count <= limits.explicitKeys else {
            throw DocumentExcess(
                nil, "has more than \(limits.explicitKeys) '?' in front of keys; leave them out")
        }
    }

    /// The tree of a document; the rules by which YAML tells numbers from texts are not applied to
    /// keys, since they take long and all keys are texts here.
    static func compose(_ text: String) throws -> Node? {
        try Yams.compose(yaml: text, .basic, .default, .utf8)
    }
}

/// A document beyond a bound, or with something in it that is not read.
struct DocumentExcess: Error {
    let place: DocumentPlace?
    let text: String

    init(_ mark: Mark?, _ text: String) {
        place = mark.map { DocumentPlace(line: $0.line, column: $0.column) }
        self.text = text
    }
}

/// A place in a document, counted from 1.
struct DocumentPlace: Sendable {
    let line: Int
    let column: Int
}

/// Counts values as often as they are repeated, and stops at the bound.
private struct ValueBudget {
    let limits: ConfigurationDocument.Limits
    private var spent = 0

    init(limits: ConfigurationDocument.Limits) {
        self.limits = limits
    }

    mutating func spend(on node: Node, depth: Int) throws(DocumentExcess) {
        spent += 1
        guard spent <= limits.values else {
            throw DocumentExcess(
                node.mark, "has more than \(limits.values) values, with aliases")
        }
        guard depth <= limits.depth else {
            throw DocumentExcess(node.mark, "is nested more than \(limits.depth) levels deep")
        }
        switch node {
        case .sequence(let items):
            for item in items { try spend(on: item, depth: depth + 1) }
        case .mapping(let mapping):
            for (key, value) in mapping {
                try spend(on: key, depth: depth + 1)
                try spend(on: value, depth: depth + 1)
            }
        case .scalar, .alias: break
        }
    }
}

extension YamlError {
    /// Where the YAML is wrong, as far as that is known.
    fileprivate var place: DocumentPlace? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            return DocumentPlace(line: mark.line, column: mark.column)
        case .duplicatedKeysInMapping(_, let context):
            return DocumentPlace(line: context.mark.line, column: context.mark.column)
        case .reader(_, let offset, _, let yaml):
            guard let offset else { return nil }
            let before = yaml.prefix(offset)
            let lineStart = before.lastIndex(where: \.isNewline).map(before.index(after:))
            let line = before[(lineStart ?? before.startIndex)...]
            return DocumentPlace(
                line: before.count(where: \.isNewline) + 1,
                column: line.unicodeScalars.count + 1)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded: return nil
        }
    }

    /// What is wrong with the YAML itself.
    fileprivate var fault: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _),
            .composer(_, let problem, _, _), .reader(let problem, _, _, _):
            "is not YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, _):
            keys.map { "'\($0)'" }.joined(separator: ", ")
                + " stands here more than once; remove one of them"
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            "is not YAML: \(self)"
        }
    }
}
