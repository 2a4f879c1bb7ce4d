/// Goes through a JSON text value by value, strictly by RFC 8259, without building anything.
///
/// It takes time linear in the text, and memory by the depth alone.
struct JSONWalk {
    /// What comes next in the text.
    enum Event {
        /// A list or object begins, whose first byte is there.
        case open(isObject: Bool, at: Int)
        /// A list or object ends, before this place.
        case close(end: Int)
        /// The name of a member, whose value comes next.
        case name(JSONScanner.Token)
        /// A string, number or word.
        case scalar(JSONScanner.Token)
        /// The end of the text.
        case end
    }

    /// What may come next.
    private enum Step {
        case value, firstValue, name, firstName, separator
    }

    /// Lists and objects that are not closed yet.
    var depth: Int { isObject.count }

    private var scanner: JSONScanner
    private let depthMax: Int
    private var isObject: [Bool] = []
    private var step = Step.value

    init(_ text: [UInt8], depthMax: Int) {
        scanner = JSONScanner(text)
        self.depthMax = depthMax
    }

    /// The next event; nil for what is no JSON, or too deep.
    mutating func next() -> Event? {
        while true {
            scanner.skipSpace()
            switch step {
            case .value: return value()
            case .firstValue: return isNext(UInt8(ascii: "]")) ? close() : value()
            case .name: return name()
            case .firstName: return isNext(UInt8(ascii: "}")) ? close() : name()
            case .separator:
                guard let isObject = isObject.last else { return scanner.next == nil ? .end : nil }
                if isNext(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return close() }
                guard isNext(UInt8(ascii: ",")) else { return nil }
                scanner.skip()
                step = isObject ? .name : .value
            }
        }
    }

    /// Goes past what is left of the value that has begun with this event; where it ends, or nil for
    /// what is no JSON.
    mutating func skip(_ event: Event) -> Int? {
        switch event {
        case .scalar(let token): return token.range.upperBound
        case .open:
            let outer = depth - 1
            while let event = next() {
                if case .close(let end) = event, depth == outer { return end }
            }
            return nil
        case .close, .name, .end: return nil
        }
    }

    private func isNext(_ byte: UInt8) -> Bool { scanner.next == byte }

    private mutating func value() -> Event? {
        switch scanner.next {
        case UInt8(ascii: "{"): return open(isObject: true)
        case UInt8(ascii: "["): return open(isObject: false)
        default:
            step = .separator
            return scanner.scanScalar().map { .scalar($0) }
        }
    }

    private mutating func open(isObject: Bool) -> Event? {
        guard depth < depthMax else { return nil }
        let start = scanner.position
        scanner.skip()
        self.isObject.append(isObject)
        step = isObject ? .firstName : .firstValue
        return .open(isObject: isObject, at: start)
    }

    private mutating func name() -> Event? {
        guard let name = scanner.scanString() else { return nil }
        scanner.skipSpace()
        guard scanner.next == UInt8(ascii: ":") else { return nil }
        scanner.skip()
        step = .value
        return .name(name)
    }

    private mutating func close() -> Event? {
        scanner.skip()
        isObject.removeLast()
        step = .separator
        return .close(end: scanner.position)
    }
}
