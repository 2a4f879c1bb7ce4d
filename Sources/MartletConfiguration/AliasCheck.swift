import Yams

/// Looks at the aliases of a document before they are followed.
///
/// Composing follows an alias at no cost, but compares the keys of a section by all that is in
/// them; an alias to a bomb as a key would never end. So the text is composed first with a mark in
/// place of each `*` that may begin an alias: every alias is then a text with that mark in front,
/// and what stands where is the same.
struct AliasCheck {
    private let text: String
    private let limits: ConfigurationDocument.Limits
    private let mark: Unicode.Scalar

    /// Nil if nothing in the text can be an alias.
    init?(_ text: String, _ limits: ConfigurationDocument.Limits) throws(DocumentExcess) {
        let scalars = text.unicodeScalars
        let starts = Set(
            zip(scalars.indices, zip(scalars, scalars.dropFirst()))
                .filter { $0.1.0 == "*" && AliasCheck.isNameScalar($0.1.1) }.map(\.0))
        guard !starts.isEmpty else { return nil }
        let used = Set(scalars.filter { AliasCheck.marks ~= $0 }.map(\.value))
        let values = AliasCheck.marks.lowerBound.value...AliasCheck.marks.upperBound.value
        guard let free = values.first(where: { !used.contains($0) }),
            let mark = Unicode.Scalar(free)
        else {
            throw DocumentExcess(nil, "has all characters for private use; one is needed here")
        }
        var marked = String.UnicodeScalarView()
        for index in scalars.indices {
            marked.append(starts.contains(index) ? mark : scalars[index])
        }
        self.text = String(marked)
        self.limits = limits
        self.mark = mark
    }

    /// Refuses too many aliases, and those that stand where no alias may.
    func check() throws {
        guard let root = try ConfigurationDocument.compose(text) else { return }
        var count = 0
        try look(at: root, isKey: false, depth: 1, &count)
    }

    private func look(
        at node: Node, isKey: Bool, depth: Int, _ count: inout Int
    ) throws(DocumentExcess) {
        guard depth <= limits.depth else {
            throw DocumentExcess(node.mark, "is nested more than \(limits.depth) levels deep")
        }
        switch node {
        case .scalar(let scalar):
            guard scalar.style == .plain, scalar.string.unicodeScalars.first == mark else { return }
            let isName = scalar.string.unicodeScalars.dropFirst()
                .allSatisfy(AliasCheck.isNameScalar)
            count += 1
            guard !isKey, isName, count <= limits.aliases else {
                throw DocumentExcess(
                    node.mark,
                    isKey || !isName
                        ? "an alias stands here, or a text that begins with '*'; "
                            + "write the one out, put the other in quotes"
                        : "has more than \(limits.aliases) aliases")
            }
        case .sequence(let items):
            try checkIsNoKey(isKey, node)
            for item in items { try look(at: item, isKey: false, depth: depth + 1, &count) }
        case .mapping(let mapping):
            try checkIsNoKey(isKey, node)
            for (key, value) in mapping {
                try look(at: key, isKey: true, depth: depth + 1, &count)
                try look(at: value, isKey: false, depth: depth + 1, &count)
            }
        case .alias: break
        }
    }

    private func checkIsNoKey(_ isKey: Bool, _ node: Node) throws(DocumentExcess) {
        guard !isKey else {
            throw DocumentExcess(node.mark, "a list or a section cannot be a key")
        }
    }

    /// Scalars that no text has a use for and YAML takes anywhere: those for private use.
    private static let marks: ClosedRange<Unicode.Scalar> = "\u{E000}"..."\u{F8FF}"

    /// What libyaml takes in the name of an anchor.
    private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "A"..."Z", "a"..."z", "_", "-": true
        default: false
        }
    }
}
