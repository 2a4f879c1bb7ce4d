import MartletCore

/// Which paths a route is for, made ready to be compared.
enum PathPattern: Sendable, Equatable {
    /// This path alone.
    case exact(String)
    /// This path and all below it.
    case prefix(String)
    /// Paths of this form.
    case template(PathTemplate)

    /// Nil if the rule is not one: the reader has refused it.
    init?(_ rule: TrafficPolicy.PathRule) {
        switch rule {
        case .exact(let path):
            guard let path = try? RequestPath(path) else { return nil }
            self = .exact(path.canonical)
        case .prefix(let path):
            guard let path = try? RequestPath(path) else { return nil }
            self = .prefix(path.canonical)
        case .template(let text):
            guard let template = PathTemplate(text) else { return nil }
            self = .template(template)
        }
    }

    /// Whether a canonical path is one of them.
    func matches(_ path: String) -> Bool {
        switch self {
        case .exact(let exact): path == exact
        case .prefix(let prefix): PathPattern.isPrefix(prefix, of: path)
        case .template(let template): template.matches(path)
        }
    }

    /// Whether every path of another pattern is one of this too; false where that is hard to say.
    func covers(_ other: PathPattern) -> Bool {
        switch (self, other) {
        case (_, .exact(let path)): matches(path)
        case (.prefix, .prefix(let path)): matches(path)
        case (.prefix(let prefix), .template(let template)):
            // Equal ones differ in what comes next: `/a` is no prefix of `/a{x}`.
            matches(template.head)
                && (prefix.utf8.count < template.head.utf8.count || prefix.hasSuffix("/"))
        case (.template, .template): self == other
        case (.exact, _), (.template, .prefix): false
        }
    }

    /// What is wrong with the text of a pattern, as the end of a sentence.
    static func fault(of text: String, allowsVariables: Bool) -> String? {
        guard text.hasPrefix("/") else { return "does not begin with '/'" }
        if let bad = text.first(where: { "?#".contains($0) }) { return "contains '\(bad)'" }
        if allowsVariables { return PathTemplate.fault(of: text) }
        if text.contains(where: { "{}".contains($0) }) {
            return "has braces, which only 'path_template' understands"
        }
        do {
            _ = try RequestPath(text)
            return nil
        } catch {
            return "would be refused: \(error.message)"
        }
    }

    /// Whether a path is another one or below it, by segments; a verb counts as below its model.
    private static func isPrefix(_ prefix: String, of path: String) -> Bool {
        // Both are ASCII, so that characters are bytes.
        guard path.hasPrefix(prefix) else { return false }
        guard prefix.utf8.last != PathBytes.slash else { return true }
        let next = path.utf8.dropFirst(prefix.utf8.count).first
        return next == nil || next == PathBytes.slash || next == PathBytes.colon
    }
}

/// A path in which a part of each segment may vary: `/v1/models/{model}:predict`.
struct PathTemplate: Sendable, Equatable {
    /// A segment; what varies in it stands between two texts.
    private struct Segment: Sendable, Equatable {
        let before: [UInt8]
        /// Nil where nothing varies.
        let after: [UInt8]?

        func matches(_ text: Substring.UTF8View) -> Bool {
            guard let after else { return text.elementsEqual(before) }
            let middle = text.dropFirst(before.count).dropLast(after.count)
            return text.count > before.count + after.count && text.starts(with: before)
                && text.suffix(after.count).elementsEqual(after)
                && !middle.contains(PathBytes.colon)
        }
    }

    /// What every path of this form begins with.
    let head: String
    private let segments: [Segment]

    /// Nil if the text is not a template.
    init?(_ text: String) {
        guard PathTemplate.fault(of: text) == nil,
            let path = try? RequestPath(PathTemplate.marked(text))
        else { return nil }
        let parts = path.canonical.split(separator: "/", omittingEmptySubsequences: false)
        segments = parts.map { part in
            let texts = part.split(separator: PathTemplate.mark, omittingEmptySubsequences: false)
            return Segment(
                before: Array(texts[0].utf8), after: texts.count > 1 ? Array(texts[1].utf8) : nil)
        }
        let end = path.canonical.firstRange(of: PathTemplate.mark)?.lowerBound
        head = String(path.canonical[..<(end ?? path.canonical.endIndex)])
    }

    /// Whether a canonical path is of this form.
    func matches(_ path: String) -> Bool {
        var rest = Substring(path).utf8
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let end = rest.firstIndex(of: PathBytes.slash)
            guard (end == nil) == isLast else { return false }
            guard segment.matches(rest[..<(end ?? rest.endIndex)]) else { return false }
            rest = rest[(end.map { rest.index(after: $0) } ?? rest.endIndex)...]
        }
        return true
    }

    /// What is wrong with a template, as the end of a sentence.
    static func fault(of text: String) -> String? {
        for segment in text.split(separator: "/") where segment.contains(where: isBrace) {
            let opening = segment.filter { $0 == "{" }.count
            let pattern = segment.drop { $0 != "{" }.dropFirst().prefix { !isBrace($0) }
            let isName = !pattern.isEmpty && pattern.utf8.allSatisfy(isNameByte)
            let end = segment.firstIndex(of: "}")
            guard opening == 1, isName, end == pattern.endIndex,
                segment.filter({ $0 == "}" }).count == 1
            else { return "needs variables such as {model}, at most one in a segment" }
        }
        guard !text.unicodeScalars.contains(variable), !text.uppercased().contains(mark) else {
            return "has a character for private use"
        }
        do {
            _ = try RequestPath(marked(text))
            return nil
        } catch {
            return "would be refused: \(error.message)"
        }
    }

    /// Stands for a variable while the rest is made canonical, and what becomes of it then.
    private static let variable: Unicode.Scalar = "\u{E000}"
    private static let mark = "%EE%80%80"

    private static func marked(_ text: String) -> String {
        var result = ""
        var isInside = false
        for character in text {
            if character == "{" {
                result.unicodeScalars.append(variable)
                isInside = true
            } else if character == "}" {
                isInside = false
            } else if !isInside {
                result.append(character)
            }
        }
        return result
    }

    private static func isBrace(_ character: Character) -> Bool {
        character == "{" || character == "}"
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        default: false
        }
    }
}
