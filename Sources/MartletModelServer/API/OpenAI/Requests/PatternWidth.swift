/// How many places of a regular expression a text may stand at, at most, after what it has so far.
///
/// A grammar made of a pattern follows all of these places at once, and what that costs grows much
/// faster than their number: `(a?){100}` takes minutes for each token, in the loop that all
/// sequences of a model share. Parts that may be empty make them many, for the text may stand
/// before any part behind them; alternatives are told apart by their first characters, so that the
/// widest counts.
struct PatternWidth {
    /// What is known of a part of the pattern.
    private struct Part {
        /// Whether it may be empty.
        var isEmptiable = false
        /// Places where a text that enters it may stand.
        var start = 0
        /// Places where a text that comes to its end may stand within it.
        var tail = 0
    }

    /// A group, or one of its alternatives, that is being read.
    private struct Group {
        /// Its alternatives but the one being read.
        var before: Part?
        /// The alternative being read, but its last part.
        var sequence = Part(isEmptiable: true)
        /// The last part, which a quantifier may follow.
        var last: Part?
    }

    /// No pattern is measured beyond this.
    private static let most = 1_000_000

    /// The largest number of places.
    private(set) var width = 0

    private var groups: [Group] = []
    private var group = Group()

    /// Measures a pattern; what is no regular expression is measured as far as it looks like one.
    init(_ pattern: String) {
        var bytes = Array(pattern.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "("): open(&bytes)
            case UInt8(ascii: ")"): close()
            case UInt8(ascii: "|"): alternate()
            case UInt8(ascii: "?"), UInt8(ascii: "*"): repeatLast(0, 1)
            case UInt8(ascii: "+"): repeatLast(1, 1)
            case UInt8(ascii: "{"):
                if let (least, most) = PatternWidth.bounds(&bytes) {
                    repeatLast(least, most)
                } else {
                    appendCharacter()
                }
            case UInt8(ascii: "["):
                PatternWidth.skipClass(&bytes)
                appendCharacter()
            case UInt8(ascii: "\\"):
                _ = bytes.popFirst()
                appendCharacter()
            case UInt8(ascii: "^"), UInt8(ascii: "$"): break
            default: appendCharacter()
            }
        }
        while !groups.isEmpty { close() }
        _ = finish()
    }

    // MARK: Parts

    private mutating func appendCharacter() { append(Part(start: 1)) }

    private mutating func append(_ part: Part) {
        settleLast()
        group.last = part
    }

    /// Puts the last part behind the others of its alternative.
    private mutating func settleLast() {
        guard let part = group.last else { return }
        group.last = nil
        let run = group.sequence.tail + part.start
        width = min(max(width, run), PatternWidth.most)
        if group.sequence.isEmptiable { group.sequence.start += part.start }
        group.sequence.tail = part.isEmptiable ? run : part.tail
        group.sequence.isEmptiable = group.sequence.isEmptiable && part.isEmptiable
        group.sequence.start = min(group.sequence.start, PatternWidth.most)
        group.sequence.tail = min(group.sequence.tail, PatternWidth.most)
    }

    private mutating func repeatLast(_ least: Int, _ most: Int) {
        guard var part = group.last else { return }
        if part.isEmptiable {
            part.start = min(part.start * most, PatternWidth.most)
        }
        // Behind its end it may begin again.
        width = max(width, part.tail + part.start)
        part.isEmptiable = part.isEmptiable || least == 0
        group.last = part
    }

    // MARK: Groups

    private mutating func open(_ bytes: inout ArraySlice<UInt8>) {
        settleLast()
        if bytes.first == UInt8(ascii: "?") { bytes = bytes.dropFirst(2) }
        groups.append(group)
        group = Group()
    }

    private mutating func close() {
        let part = finish()
        guard let outer = groups.popLast() else { return }
        group = outer
        append(part)
    }

    private mutating func alternate() {
        group.before = finish()
        group.sequence = Part(isEmptiable: true)
    }

    private mutating func finish() -> Part {
        settleLast()
        guard let before = group.before else { return group.sequence }
        return Part(
            isEmptiable: before.isEmptiable || group.sequence.isEmptiable,
            start: max(before.start, group.sequence.start),
            tail: max(before.tail, group.sequence.tail))
    }

    // MARK: Syntax

    /// The bounds behind `{`; `nil`, with nothing read, if it opens none.
    private static func bounds(_ bytes: inout ArraySlice<UInt8>) -> (least: Int, most: Int)? {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "}")), end - bytes.startIndex < 24 else {
            return nil
        }
        let numbers = bytes[..<end].split(
            separator: UInt8(ascii: ","), maxSplits: 1, omittingEmptySubsequences: false
        ).map { Int(String(decoding: $0, as: UTF8.self)) }
        guard let least = numbers[0], least >= 0 else { return nil }
        bytes = bytes[(end + 1)...]
        let low = min(least, most)
        // Without an upper bound what follows the last of them begins itself again.
        let high = numbers.count == 1 ? low : numbers[1].map { min($0, most) } ?? low + 1
        return (low, max(low, high))
    }

    /// Reads on behind the end of a class of characters.
    private static func skipClass(_ bytes: inout ArraySlice<UInt8>) {
        if bytes.first == UInt8(ascii: "^") { bytes.removeFirst() }
        if bytes.first == UInt8(ascii: "]") { bytes.removeFirst() }
        while let byte = bytes.popFirst(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\") { _ = bytes.popFirst() }
        }
    }
}
