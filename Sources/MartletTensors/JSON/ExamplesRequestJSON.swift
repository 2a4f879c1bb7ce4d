public import MartletCore

/// The values of a feature of an example; what they were in JSON decides which kind they are.
public enum JSONFeature: Sendable, Equatable {
    /// An empty list, which is of no kind.
    case empty
    /// Whole numbers and booleans.
    case integers([Int64])
    /// Numbers with a point or an exponent.
    case floats([Float])
    /// Texts and binary strings.
    case strings([[UInt8]])

    fileprivate var kind: String {
        switch self {
        case .empty: "UNKNOWN"
        case .integers: "int64"
        case .floats: "float"
        case .strings: "bytes"
        }
    }
}

/// A classify or regress request as TensorFlow Serving's REST API defines it.
///
/// Messages are TensorFlow Serving's. Reference:
/// <https://www.tensorflow.org/tfx/serving/api_rest>.
public struct ExamplesRequestJSON: Sendable {
    /// What an example or a feature takes in memory, in bytes, however little it holds.
    static let partBytes = 96

    /// The signature that the request named; empty for the default.
    public let signatureName: String

    /// Features that every example has unless it says otherwise.
    public let context: [String: JSONFeature]?

    /// The features of each example.
    public let examples: [[String: JSONFeature]]

    /// Decodes a request body.
    ///
    /// - Parameters:
    ///   - body: UTF-8 JSON.
    ///   - limits: bounds on depth, number of values, and memory for examples and features.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) naming the feature at fault.
    public init(_ body: [UInt8], limits: Limits) throws {
        self = try JSONTape.withParsed(body, limits: limits) {
            try ExamplesRequestJSON($0, limits: limits)
        }
    }

    private init(_ tape: JSONTape, limits: Limits) throws {
        let root = JSONTape.root
        func malformed(_ reason: String) -> ServingError {
            .invalidArgument("JSON Value: \(tape.excerpt(root)) \(reason)")
        }
        guard tape.isObject(root) else { throw malformed("Is not object") }
        signatureName = try tape.signatureName() ?? ""
        context = try tape.member("context", of: root).map { try tape.example($0) }
        guard let list = tape.member("examples", of: root) else {
            throw malformed(
                "When method is classify, key 'examples' is expected and was not found")
        }
        guard tape.isArray(list) else {
            throw malformed("Expecting 'examples' value to be an list/array")
        }
        guard tape.count(list) > 0 else { throw malformed("'examples' value is an empty array") }
        try ExamplesRequestJSON.checkParts(of: list, in: tape, limits: limits)
        var examples: [[String: JSONFeature]] = []
        examples.reserveCapacity(tape.count(list))
        try tape.forEachElement(of: list) { examples.append(try tape.example($0)) }
        self.examples = examples
    }

    /// Refuses examples that are nothing but many: two bytes of JSON make one.
    private static func checkParts(
        of list: JSONTape.Index, in tape: JSONTape, limits: Limits
    ) throws {
        let maximum = min(limits.messageBytes, Int.max / 2) * 2 / partBytes
        var count = tape.count(list)
        tape.forEachElement(of: list) { if tape.isObject($0) { count += tape.count($0) } }
        guard count <= maximum else {
            throw ServingError.invalidArgument(
                "The request has \(count) examples and features, more than the limit of "
                    + "\(maximum) that --max-message-bytes sets")
        }
    }
}

extension JSONTape {
    /// The `signature_name` of a request; `nil` when it names none.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when it is no string.
    func signatureName() throws -> String? {
        guard let index = member("signature_name", of: JSONTape.root) else { return nil }
        guard let name = text(index) else {
            throw ServingError.invalidArgument(
                "JSON Value: \(excerpt(JSONTape.root)) not formatted correctly. "
                    + "'signature_name' key must be a string value.")
        }
        return name
    }

    fileprivate func example(_ index: Index) throws -> [String: JSONFeature] {
        guard isObject(index) else {
            throw ServingError.invalidArgument(
                "Example must be JSON object but got JSON \(typeName(index))")
        }
        var features: [String: JSONFeature] = [:]
        try forEachMember(of: index) { name, value in
            var feature = JSONFeature.empty
            if isArray(value) {
                try forEachElement(of: value) { try append($0, to: &feature, named: name) }
            } else {
                try append(value, to: &feature, named: name)
            }
            features[name] = feature
        }
        return features
    }

    private func append(_ value: Index, to feature: inout JSONFeature, named name: String) throws {
        if let flag = bool(value) {
            try feature.append(integer: flag ? 1 : 0, named: name)
        } else if isBase64Object(value) {
            try feature.append(string: { try base64Object(value) }, named: name)
        } else if let text = bytes(value) {
            try feature.append(string: { text }, named: name)
        } else if let whole = integer(value, as: Int64.self) {
            try feature.append(integer: whole, named: name)
        } else if integer(value, as: UInt64.self) != nil {
            guard feature.isEmpty || feature.isIntegers else { throw feature.mixed(name) }
            throw ServingError.invalidArgument(
                "Feature: \(name) has uint64 element. Only int64 is supported.")
        } else if let number = double(value) {
            guard feature.isEmpty || feature.isFloats else { throw feature.mixed(name) }
            guard !number.isFinite || Float(number).isFinite else {
                throw ServingError.invalidArgument(
                    "Cannot convert JSON value: \(excerpt(value)) to float "
                        + "without loss of precision.")
            }
            try feature.append(float: Float(number), named: name)
        } else {
            throw ServingError.invalidArgument(
                "Feature: \(name) has element with unexpected JSON type: \(typeName(value))")
        }
    }
}

extension JSONFeature {
    fileprivate var isEmpty: Bool { self == .empty }
    fileprivate var isIntegers: Bool { if case .integers = self { true } else { false } }
    fileprivate var isFloats: Bool { if case .floats = self { true } else { false } }

    fileprivate func mixed(_ name: String) -> ServingError {
        .invalidArgument(
            "Unexpected element type in feature: \(name) expecting type: \(kind)")
    }

    fileprivate mutating func append(integer: Int64, named name: String) throws {
        switch self {
        case .empty: self = .integers([integer])
        case .integers(var values):
            self = .empty
            values.append(integer)
            self = .integers(values)
        case .floats, .strings: throw mixed(name)
        }
    }

    fileprivate mutating func append(float: Float, named name: String) throws {
        switch self {
        case .empty: self = .floats([float])
        case .floats(var values):
            self = .empty
            values.append(float)
            self = .floats(values)
        case .integers, .strings: throw mixed(name)
        }
    }

    fileprivate mutating func append(string: () throws -> [UInt8], named name: String) throws {
        switch self {
        case .empty: self = .strings([try string()])
        case .strings(var values):
            self = .empty
            values.append(try string())
            self = .strings(values)
        case .integers, .floats: throw mixed(name)
        }
    }
}
