import MartletCore
import MartletTensors

/// The members of one JSON object of a request to OpenAI's API.
///
/// Unknown members are ignored: clients of other servers send many. A member that is known must
/// have the right type and lie in its range; `null` stands for one that is left out.
struct RequestFields {
    /// Most members an object may have; no known one has half as many.
    private static let membersMaximum = 128

    /// Where the object stands in the request, such as `messages[3]`; empty for the request itself.
    let path: String
    private let members: [JSONValue.Member]

    /// Takes an object.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when it is none, or has too many members.
    init(_ value: JSONValue, at path: String) throws {
        let name = path.isEmpty ? "the request" : "'\(path)'"
        guard case .object(let members) = value else {
            throw ServingError.invalidField(
                path, .wrongType, "\(name) is \(value.kind); it must be an object")
        }
        guard members.count <= RequestFields.membersMaximum else {
            throw ServingError.invalidField(
                path, .tooMany,
                "\(name) has \(members.count) members; at most "
                    + "\(RequestFields.membersMaximum) are taken")
        }
        self.path = path
        self.members = members
    }

    /// Parses a whole request.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a syntax error, invalid UTF-8 or a limit.
    init(parsing bytes: [UInt8], limits: Limits) throws {
        try self.init(JSONValue(parsing: bytes, limits: limits), at: "")
    }

    /// The place of a member in the request.
    func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// A member of any type; `nil` when it is left out or `null`.
    func value(_ name: String) throws -> JSONValue? {
        var found: JSONValue?
        for member in members where member.name == name {
            guard found == nil else {
                throw ServingError.invalidField(
                    path(of: name), .wrongValue, "'\(path(of: name))' is given twice; give it once")
            }
            found = member.value
        }
        return found == .null ? nil : found
    }

    /// A member that is text.
    func text(_ name: String, bytesMaximum: Int = .max) throws -> String? {
        guard let value = try value(name) else { return nil }
        guard case .text(let text) = value else {
            throw RequestFields.wrong(path(of: name), value, .wrongType, "text")
        }
        guard text.utf8.count <= bytesMaximum else {
            throw ServingError.invalidField(
                path(of: name), .tooLong,
                "'\(path(of: name))' has \(text.utf8.count) bytes; at most \(bytesMaximum) are "
                    + "taken")
        }
        return text
    }

    /// A member that is true or false.
    func flag(_ name: String) throws -> Bool? {
        guard let value = try value(name) else { return nil }
        guard case .bool(let flag) = value else {
            throw RequestFields.wrong(path(of: name), value, .wrongType, "true or false")
        }
        return flag
    }

    /// A member that is a whole number in a range.
    func whole(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let value = try value(name) else { return nil }
        guard case .integer(let number) = value, range.contains(number) else {
            throw RequestFields.wrong(
                path(of: name), value, fault(of: value),
                "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A member that is a number in a range; never NaN.
    func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let value = try value(name) else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw RequestFields.wrong(
                path(of: name), value, fault(of: value),
                "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A member that is a list.
    func list(_ name: String, countMaximum: Int) throws -> [JSONValue]? {
        guard let value = try value(name) else { return nil }
        guard case .list(let elements) = value else {
            throw RequestFields.wrong(path(of: name), value, .wrongType, "a list")
        }
        try RequestFields.check(elements.count, of: path(of: name), countMaximum: countMaximum)
        return elements
    }

    /// A member that is an object.
    func fields(_ name: String) throws -> RequestFields? {
        try value(name).map { try RequestFields($0, at: path(of: name)) }
    }

    /// What a member must not be without.
    func required<Value>(_ name: String, _ value: Value?) throws -> Value {
        guard let value else {
            throw ServingError.invalidField(
                path(of: name), .missing, "'\(path(of: name))' is missing; it must be given")
        }
        return value
    }

    /// The error about a member whose value is not what it must be.
    func wrong(_ name: String, _ value: JSONValue, _ wanted: String) -> ServingError {
        RequestFields.wrong(path(of: name), value, .wrongValue, wanted)
    }

    private func fault(of value: JSONValue) -> FieldFault {
        value.double == nil ? .wrongType : .wrongValue
    }

    // MARK: Values anywhere

    /// The error about a value that is not what it must be.
    static func wrong(
        _ path: String, _ value: JSONValue, _ fault: FieldFault, _ wanted: String
    ) -> ServingError {
        .invalidField(path, fault, "'\(path)' is \(value.shown); it must be \(wanted)")
    }

    /// Refuses a list with more elements than a bound.
    static func check(_ count: Int, of path: String, countMaximum: Int) throws {
        guard count <= countMaximum else {
            throw ServingError.invalidField(
                path, .tooMany,
                "'\(path)' has \(count) elements; at most \(countMaximum) are taken")
        }
    }
}

extension JSONValue {
    /// Any number as a double; `nil` for anything else.
    var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// The value for a message: a number or the begin of a text, else what kind it is.
    var shown: String {
        switch self {
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .text(let text): "'\(text.prefix(64))'"
        default: kind
        }
    }

    /// How many values this one consists of, itself included.
    var valueCount: Int {
        switch self {
        case .list(let elements): elements.reduce(1) { $0 + $1.valueCount }
        case .object(let members): members.reduce(1) { $0 + $1.value.valueCount }
        default: 1
        }
    }
}
