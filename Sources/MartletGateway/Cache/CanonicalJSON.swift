/// The canonical form of a JSON text: one text for all that differ in whitespace or in the order of
/// an object's members only.
///
/// Numbers and strings keep their spelling: `1.0` and `1` may be of different types to a model. RFC
/// 8785 goes further and rewrites both, which costs time, and here at most a hit.
///
/// An object is put in order only where no reader can take two of its names for one: names with
/// escapes, or beyond ASCII, may be spellings of each other, and such an object stays as it is. An
/// object that has a name twice has no canonical form, since readers differ on which counts (RFC
/// 8259, section 4).
///
/// It takes time linear in the text, times at most the depth (objects are copied once into each
/// that surrounds them, if that is out of order) and the logarithm of an object's members. Memory
/// is as much again as the text.
enum CanonicalJSON {
    /// Bounds beyond which there is no canonical form.
    struct Limits: Sendable, Equatable {
        /// Deepest nesting of lists and objects (default 32).
        var depthMax = 32
        /// Most members of one object (default 1024).
        var membersMax = 1024
    }

    /// The canonical form; nil for what is no JSON by RFC 8259, or beyond the limits.
    static func form(of text: [UInt8], limits: Limits = Limits()) -> [UInt8]? {
        var writer = CanonicalJSONWriter(text, limits: limits)
        return writer.write()
    }
}

/// Reads a text and writes its canonical form, without recursion.
///
/// What is read is copied in runs as long as they come: up to white space, or the end of an object
/// that is out of order.
private struct CanonicalJSONWriter {
    /// What comes next; white space before it is skipped.
    private enum Step {
        case value, name, separator, end
    }

    /// A list or object that is not closed yet.
    private struct Container {
        let isObject: Bool
        /// Where its contents begin in the output.
        let start: Int
        /// Where its members begin among all.
        let firstMember: Int
        /// Whether its names are in order up to now.
        var isSorted = true
        /// Whether no two of its names can be spellings of one.
        var isPlain = true
    }

    /// A member of an object that is not closed yet.
    private struct Member {
        /// Its name, in the text.
        let name: Range<Int>
        /// Where it begins and ends in the output.
        let start: Int
        var end: Int
    }

    private var scanner: JSONScanner
    private let limits: CanonicalJSON.Limits
    private var output: [UInt8] = []
    /// Where in the text the run begins that is read and not yet in the output.
    private var runStart = 0
    private var containers: [Container] = []
    private var members: [Member] = []

    init(_ text: [UInt8], limits: CanonicalJSON.Limits) {
        scanner = JSONScanner(text)
        self.limits = limits
        output.reserveCapacity(text.count)
    }

    mutating func write() -> [UInt8]? {
        var step = Step.value
        while step != .end {
            skipSpace()
            let next: Step? =
                switch step {
                case .value: readValue()
                case .name: readName()
                case .separator: readSeparator()
                case .end: .end
                }
            guard let next else { return nil }
            step = next
        }
        return output
    }

    /// Where in the output the byte to come will be.
    private var place: Int { output.count + scanner.position - runStart }

    /// Copies what is read and not yet in the output.
    private mutating func flush() {
        if runStart < scanner.position {
            output.append(contentsOf: scanner.text[runStart..<scanner.position])
        }
        runStart = scanner.position
    }

    private mutating func skipSpace() {
        // Most often there is none.
        guard let byte = scanner.next, byte <= 0x20 else {
            if scanner.next == nil { flush() }
            return
        }
        flush()
        scanner.skipSpace()
        runStart = scanner.position
    }

    private mutating func readValue() -> Step? {
        switch scanner.next {
        case UInt8(ascii: "{"): return open(isObject: true)
        case UInt8(ascii: "["): return open(isObject: false)
        default: return scanner.scanScalar() == nil ? nil : .separator
        }
    }

    private mutating func open(isObject: Bool) -> Step? {
        guard containers.count < limits.depthMax else { return nil }
        scanner.skip()
        containers.append(
            Container(isObject: isObject, start: place, firstMember: members.count))
        skipSpace()
        guard scanner.next != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
            return close()
        }
        return isObject ? .name : .value
    }

    private mutating func readName() -> Step? {
        let start = place
        guard let container = containers.last, let name = scanner.scanString(),
            members.count - container.firstMember < limits.membersMax
        else { return nil }
        if !name.isPlain { containers[containers.count - 1].isPlain = false }
        if container.isSorted, members.count > container.firstMember, let last = members.last,
            !precedes(last.name, name.range)
        {
            containers[containers.count - 1].isSorted = false
        }
        members.append(Member(name: name.range, start: start, end: start))
        skipSpace()
        guard scanner.next == UInt8(ascii: ":") else { return nil }
        scanner.skip()
        return .value
    }

    /// What follows a value: a comma, the end of its container, or the end of the text.
    private mutating func readSeparator() -> Step? {
        guard let container = containers.last else { return scanner.next == nil ? .end : nil }
        if container.isObject { members[members.count - 1].end = place }
        switch (scanner.next, container.isObject) {
        case (UInt8(ascii: ","), _):
            scanner.skip()
            return container.isObject ? .name : .value
        case (UInt8(ascii: "}"), true), (UInt8(ascii: "]"), false): return close()
        default: return nil
        }
    }

    private mutating func close() -> Step? {
        guard let container = containers.popLast() else { return nil }
        if !container.isSorted, container.isPlain, !sortMembers(of: container) { return nil }
        members.removeLast(members.count - container.firstMember)
        scanner.skip()
        return .separator
    }

    /// Puts the members of an object in the order of their names; false if a name is there twice.
    private mutating func sortMembers(of container: Container) -> Bool {
        flush()
        let sorted = members[container.firstMember...].sorted { precedes($0.name, $1.name) }
        for (one, next) in zip(sorted, sorted.dropFirst()) where !precedes(one.name, next.name) {
            return false
        }
        var contents: [UInt8] = []
        contents.reserveCapacity(output.count - container.start)
        for member in sorted {
            if !contents.isEmpty { contents.append(UInt8(ascii: ",")) }
            contents.append(contentsOf: output[member.start..<member.end])
        }
        output.replaceSubrange(container.start..., with: contents)
        return true
    }

    /// Whether a name of the text is before another by its bytes.
    private func precedes(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        scanner.text[left].lexicographicallyPrecedes(scanner.text[right])
    }
}
