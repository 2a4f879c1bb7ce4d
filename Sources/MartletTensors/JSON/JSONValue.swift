public import MartletCore

/// A JSON document as values, for small documents that are read strictly.
public enum JSONValue: Sendable, Equatable {
    /// One member of an object.
    public struct Member: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its value.
        public let value: JSONValue
    }

    case null
    case bool(Bool)
    /// A whole number that fits, written without a point.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    case text(String)
    case list([JSONValue])
    /// Members in their order; names may repeat.
    case object([Member])

    /// Parses a document.
    ///
    /// - Parameters:
    ///   - bytes: the document.
    ///   - limits: bounds on depth and number of values.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a syntax error or a limit, with the
    ///   offset.
    public init(parsing bytes: [UInt8], limits: Limits) throws {
        self = try JSONTape.withParsed(bytes, limits: limits) { JSONValue($0, JSONTape.root) }
    }

    private init(_ tape: JSONTape, _ index: JSONTape.Index) {
        if tape.isObject(index) {
            var members: [Member] = []
            tape.forEachMember(of: index) { name, value in
                members.append(Member(name: name, value: JSONValue(tape, value)))
            }
            self = .object(members)
        } else if tape.isArray(index) {
            var elements: [JSONValue] = []
            tape.forEachElement(of: index) { elements.append(JSONValue(tape, $0)) }
            self = .list(elements)
        } else if let whole = tape.integer(index, as: Int64.self) {
            self = .integer(whole)
        } else if let number = tape.double(index) {
            self = .number(number)
        } else if let text = tape.text(index) {
            self = .text(text)
        } else if let truth = tape.bool(index) {
            self = .bool(truth)
        } else {
            self = .null
        }
    }

    /// What kind of value this is, for messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .integer, .number: "a number"
        case .text: "text"
        case .list: "a list"
        case .object: "an object"
        }
    }
}
