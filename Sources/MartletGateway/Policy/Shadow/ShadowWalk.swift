/// Walks through two JSON texts at once and notes where they differ.
struct ShadowWalk {
    private(set) var verdict = ShadowVerdict()

    private enum Step {
        case key(String)
        case index(Int)
    }

    private let comparison: ShadowComparison
    private let ignored: Set<String>
    private var path: [Step] = []

    init(_ comparison: ShadowComparison) {
        self.comparison = comparison
        ignored = Set(comparison.tolerance.ignoredKeys)
    }

    /// Notes a difference at the place that is walked through.
    mutating func note(_ kind: ShadowDifference.Kind, _ primary: String, _ shadow: String) {
        verdict.counts[kind, default: 0] += 1
        guard verdict.differences.count < comparison.differencesMax else { return }
        verdict.differences.append(
            ShadowDifference(
                kind: kind, path: written, primary: Self.short(primary),
                shadow: Self.short(shadow)))
    }

    /// Compares two values; the nesting of both is bounded, and so is that of the calls.
    mutating func compare(
        _ left: JSONOutline, _ leftIndex: Int, _ right: JSONOutline, _ rightIndex: Int
    ) {
        let kinds = (left.entries[leftIndex].kind, right.entries[rightIndex].kind)
        switch kinds {
        case (.object, .object): compareObjects(left, leftIndex, right, rightIndex)
        case (.list, .list): compareLists(left, leftIndex, right, rightIndex)
        case (.number, .number): compareNumbers(left, leftIndex, right, rightIndex)
        case (.text, .text):
            let texts = (left.text(leftIndex), right.text(rightIndex))
            if !texts.0.utf8.elementsEqual(texts.1.utf8) { note(.text, texts.0, texts.1) }
        case (.boolean, .boolean):
            guard left.raw(leftIndex) != right.raw(rightIndex) else { return }
            note(.boolean, left.shown(leftIndex), right.shown(rightIndex))
        case (.null, .null): break
        default: note(.type, left.shown(leftIndex), right.shown(rightIndex))
        }
    }

    private mutating func compareLists(
        _ left: JSONOutline, _ leftIndex: Int, _ right: JSONOutline, _ rightIndex: Int
    ) {
        let items = (left.items(of: leftIndex), right.items(of: rightIndex))
        if items.0.count != items.1.count { note(.length, "\(items.0.count)", "\(items.1.count)") }
        for (index, pair) in zip(items.0, items.1).enumerated() {
            path.append(.index(index))
            compare(left, pair.0, right, pair.1)
            path.removeLast()
        }
    }

    private mutating func compareObjects(
        _ left: JSONOutline, _ leftIndex: Int, _ right: JSONOutline, _ rightIndex: Int
    ) {
        var others: [String: Int] = [:]
        // Of a key that comes twice the last counts, as nearly everywhere.
        for key in right.keys(of: rightIndex) { others[right.text(key)] = key }
        var own: [String: Int] = [:]
        for key in left.keys(of: leftIndex) { own[left.text(key)] = key }
        for key in left.keys(of: leftIndex) {
            let name = left.text(key)
            guard own[name] == key, !ignored.contains(name) else { continue }
            path.append(.key(name))
            if let other = others[name] {
                compare(left, key + 1, right, other + 1)
            } else {
                note(.missingKey, left.shown(key + 1), "nothing")
            }
            path.removeLast()
        }
        for key in right.keys(of: rightIndex) {
            let name = right.text(key)
            guard others[name] == key, own[name] == nil, !ignored.contains(name) else { continue }
            path.append(.key(name))
            note(.extraKey, "nothing", right.shown(key + 1))
            path.removeLast()
        }
    }

    /// Source of the rule: PEP 485, which treats both numbers alike.
    private mutating func compareNumbers(
        _ left: JSONOutline, _ leftIndex: Int, _ right: JSONOutline, _ rightIndex: Int
    ) {
        guard left.raw(leftIndex) != right.raw(rightIndex) else { return }
        let (first, second) = (left.number(leftIndex), right.number(rightIndex))
        guard first != second, !(first.isNaN && second.isNaN) else { return }
        let difference = abs(first - second)
        let greater = max(abs(first), abs(second))
        if difference.isFinite, greater > 0 {
            verdict.largestAbsolute = max(verdict.largestAbsolute, difference)
            verdict.largestRelative = max(verdict.largestRelative, difference / greater)
        }
        let tolerance = comparison.tolerance
        let isTolerated =
            difference.isFinite
            && difference <= max(tolerance.absolute, tolerance.relative * greater)
        if !isTolerated { note(.number, left.shown(leftIndex), right.shown(rightIndex)) }
    }

    /// The place that is walked through.
    private var written: String {
        path.reduce(into: "$") { text, step in
            switch step {
            case .key(let key): text += ".\(Self.short(key))"
            case .index(let index): text += "[\(index)]"
            }
        }
    }

    private static func short(_ text: String) -> String {
        text.count > 80 ? text.prefix(77) + "..." : text
    }
}

extension JSONOutline {
    /// A value in few words.
    fileprivate func shown(_ index: Int) -> String {
        switch entries[index].kind {
        case .list: "a list of \(entries[index].count)"
        case .object: "an object of \(entries[index].count)"
        case .text: "\"\(text(index))\""
        case .null, .boolean, .number: String(decoding: raw(index), as: UTF8.self)
        }
    }
}
