/// Finds what an answer of OpenAI's API has cost, and which model gave it, in the bytes of its JSON as
/// they pass, in whatever pieces.
///
/// Looked at are the members `model` and `usage` of the outermost object, and the numbers in `usage`.
/// All else is passed over; nothing is kept but one text of up to 256 bytes. What is no JSON leads to
/// no result, or to one of nonsense that a node has sent; it never does harm.
struct UsageScanner: Sendable {
    /// The cost, as the last `usage` says that is an object.
    private(set) var spend: TokenSpend?
    /// The model that has answered, where its name is plain and not too long.
    private(set) var model: String?
    /// Whether the text at hand has begun with an object.
    private(set) var hasObject = false

    private enum Place { case structure, string, escape }

    /// A member that is of interest.
    private enum Name {
        case usage, model
        case input, output, total
        case other
    }

    private static let textMax = 256

    private var place = Place.structure
    /// Lists and objects that are open.
    private var depth = 0
    /// Whether the object at depth 2 is the usage.
    private var isInUsage = false
    /// Whether a value comes, not a name; where names are looked at.
    private var isValue = false
    private var name = Name.other
    private var text: [UInt8] = []
    /// Whether the string that passes is kept.
    private var isKept = false
    private var number: Int?
    /// Whether the value has what whole numbers do not.
    private var isOdd = false
    private var counts: (input: Int?, output: Int?, total: Int?) = (nil, nil, nil)

    /// A new text begins; what was found stays.
    mutating func begin() {
        place = .structure
        depth = 0
        isInUsage = false
        hasObject = false
        endMember()
    }

    /// Takes the next byte in.
    mutating func take(_ byte: UInt8) {
        switch place {
        case .escape: place = .string
        case .string: takeOfString(byte)
        case .structure: takeOfStructure(byte)
        }
    }

    private mutating func takeOfString(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""):
            place = .structure
            if isKept { endString() }
        case UInt8(ascii: "\\"):
            place = .escape
            isKept = false
        default:
            guard isKept else { return }
            isKept = text.count < UsageScanner.textMax
            if isKept { text.append(byte) }
        }
    }

    /// Whether the members of the innermost object are looked at.
    private var isWatched: Bool { depth == 1 || depth == 2 && isInUsage }

    private mutating func takeOfStructure(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""):
            place = .string
            isKept = isWatched && (!isValue || depth == 1 && name == .model)
            if isKept { text.removeAll(keepingCapacity: true) }
        case UInt8(ascii: "{"): open(isObject: true)
        case UInt8(ascii: "["): open(isObject: false)
        case UInt8(ascii: "}"), UInt8(ascii: "]"): close()
        case UInt8(ascii: ":"): if isWatched { isValue = true }
        case UInt8(ascii: ","): if isWatched { endMember() }
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard isInUsage, depth == 2, isValue else { return }
            number = min((number ?? 0) * 10 + Int(byte & 15), TokenSpend.most)
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "e"), UInt8(ascii: "E"):
            if isInUsage, depth == 2 { isOdd = true }
        default: break
        }
    }

    private mutating func open(isObject: Bool) {
        if depth == 0, isObject { hasObject = true }
        if depth == 1, isObject, isValue, name == .usage {
            isInUsage = true
            counts = (nil, nil, nil)
        }
        depth += 1
        if isWatched { endMember() }
    }

    private mutating func close() {
        if depth == 2, isInUsage {
            endMember()
            isInUsage = false
            take(counts)
        }
        depth = max(0, depth - 1)
    }

    private mutating func take(_ counts: (input: Int?, output: Int?, total: Int?)) {
        guard let input = counts.input ?? counts.total ?? counts.output.map({ _ in 0 }) else {
            return
        }
        // Embeddings have no output, and do not say so.
        let output = counts.output ?? max(0, (counts.total ?? input) - input)
        spend = TokenSpend(input: input, output: output)
    }

    private mutating func endString() {
        guard !isValue else {
            model = String(decoding: text, as: UTF8.self)
            return
        }
        name = isInUsage ? UsageScanner.count(text) : UsageScanner.member(text)
    }

    private static func member(_ text: [UInt8]) -> Name {
        if text.elementsEqual("usage".utf8) { return .usage }
        return text.elementsEqual("model".utf8) ? .model : .other
    }

    /// The names of `/v1/responses` are others than those of the rest.
    private static func count(_ text: [UInt8]) -> Name {
        switch String(decoding: text, as: UTF8.self) {
        case "prompt_tokens", "input_tokens": .input
        case "completion_tokens", "output_tokens": .output
        case "total_tokens": .total
        default: .other
        }
    }

    private mutating func endMember() {
        if isInUsage, depth == 2, let number, !isOdd {
            switch name {
            case .input: counts.input = number
            case .output: counts.output = number
            case .total: counts.total = number
            case .usage, .model, .other: break
            }
        }
        number = nil
        isOdd = false
        isValue = false
        name = .other
    }
}
