import MartletCore
import MartletTensors

/// A function that the model may call.
struct ChatTool: Sendable, Equatable {
    /// Its name: 1 to 64 letters, digits, `_` and `-`.
    let name: String

    /// What it is for, in words.
    let description: String?

    /// The JSON schema of its arguments, an object; `nil` when it takes none.
    let parameters: JSONValue?

    /// Whether arguments must keep to the schema exactly.
    let isStrict: Bool

    /// The tool as the client sent it, for chat templates.
    let definition: JSONValue

    /// Which tools the model may or must call.
    enum Choice: Sendable, Equatable {
        /// None, though they are defined.
        case none
        /// As the model sees fit.
        case automatic
        /// At least one, of the model's choice.
        case required
        /// The one with this name.
        case function(String)
    }

    /// Reads the members `tools` and `tool_choice` of a request.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the tool and field at fault.
    static func list(
        _ fields: RequestFields, bounds: OpenAILimits
    ) throws -> (tools: [ChatTool], choice: Choice) {
        for (old, new) in [("functions", "tools"), ("function_call", "tool_choice")]
        where try fields.value(old) != nil {
            throw ServingError.invalidField(
                old, .unsupported, "'\(old)' is not supported; give '\(new)' in its place")
        }
        let elements = try fields.list("tools", countMaximum: bounds.tools) ?? []
        var names: Set<String> = []
        let tools = try elements.enumerated().map { index, element in
            let tool = try ChatTool(element, at: "tools[\(index)]", bounds: bounds)
            guard names.insert(tool.name).inserted else {
                throw ServingError.invalidField(
                    "tools[\(index)].function.name", .wrongValue,
                    "two tools are called '\(tool.name)'; give each a name of its own")
            }
            return tool
        }
        return (tools, try choice(fields, names: names))
    }

    private init(_ value: JSONValue, at path: String, bounds: OpenAILimits) throws {
        let fields = try RequestFields(value, at: path)
        try fields.checkFunctionType()
        let function = try fields.required("function", fields.fields("function"))
        let name = try function.required("name", function.text("name"))
        guard ChatTool.isName(name) else {
            throw function.wrong(
                "name", .text(name), "1 to 64 letters (a-z, A-Z), digits, '_' and '-'")
        }
        self.name = name
        description = try function.text("description", bytesMaximum: bounds.descriptionBytes)
        parameters = try function.schema("parameters", bounds: bounds)
        isStrict = try function.flag("strict") ?? false
        guard value.valueCount <= bounds.schemaValues + 32 else {
            throw ServingError.invalidField(
                path, .tooMany,
                "'\(path)' has more values beside its schema than are taken; leave them out")
        }
        definition = value
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func choice(_ fields: RequestFields, names: Set<String>) throws -> Choice {
        guard let value = try fields.value("tool_choice") else {
            return names.isEmpty ? .none : .automatic
        }
        let choice: Choice
        switch value {
        case .text("none"): choice = .none
        case .text("auto"): choice = names.isEmpty ? .none : .automatic
        case .text("required"): choice = .required
        case .object:
            let object = try RequestFields(value, at: fields.path(of: "tool_choice"))
            try object.checkFunctionType()
            let function = try object.required("function", object.fields("function"))
            let name = try function.required("name", function.text("name"))
            guard names.contains(name) else {
                throw function.wrong("name", .text(name), "the name of one of 'tools'")
            }
            choice = .function(name)
        default:
            throw fields.wrong(
                "tool_choice", value,
                "'none', 'auto', 'required' or an object that names a function")
        }
        guard choice != .required || !names.isEmpty else {
            throw fields.wrong("tool_choice", value, "'none' or 'auto', for no 'tools' are given")
        }
        return choice
    }
}

extension RequestFields {
    /// A member that is a JSON schema: an object of a bounded number of values, and of properties
    /// that may be left out, whose names are of a bounded length and its patterns of a bounded
    /// width.
    func schema(_ name: String, bounds: OpenAILimits) throws -> JSONValue? {
        guard let value = try value(name) else { return nil }
        guard case .object = value else {
            throw RequestFields.wrong(path(of: name), value, .wrongType, "an object")
        }
        let count = value.valueCount
        guard count <= bounds.schemaValues else {
            throw ServingError.invalidField(
                path(of: name), .tooMany,
                "'\(path(of: name))' has \(count) values; at most \(bounds.schemaValues) are taken")
        }
        try checkNames(of: value, in: name, bounds: bounds)
        let optional = OptionalProperties(value).most
        guard optional <= bounds.optionalProperties else {
            throw ServingError.invalidField(
                path(of: name), .tooMany,
                "'\(path(of: name))' has an object of which \(optional) properties may be left "
                    + "out; at most \(bounds.optionalProperties) are taken, so name others in "
                    + "'required'")
        }
        try checkPatterns(of: value, in: name, bounds: bounds)
        return value
    }

    private func checkNames(of schema: JSONValue, in name: String, bounds: OpenAILimits) throws {
        try schema.forEachMember { member in
            try checkName(member.name, in: name, bounds: bounds)
            guard member.name == "$ref", case .text(let place) = member.value else { return }
            try checkName(place, in: name, bounds: bounds)
        }
    }

    private func checkName(_ text: String, in name: String, bounds: OpenAILimits) throws {
        let count = text.utf8.count
        guard count <= bounds.schemaNameBytes else {
            throw ServingError.invalidField(
                path(of: name), .tooLong,
                "'\(path(of: name))' has the name or reference '\(text.prefix(64))...' of \(count) "
                    + "bytes; at most \(bounds.schemaNameBytes) are taken")
        }
    }

    private func checkPatterns(
        of schema: JSONValue, in name: String, bounds: OpenAILimits
    ) throws {
        try schema.forEachMember { member in
            guard member.name == "pattern", case .text(let pattern) = member.value else { return }
            let width = PatternWidth(pattern).width
            guard width <= bounds.patternWidth else {
                throw ServingError.invalidField(
                    path(of: name), .wrongValue,
                    "'\(path(of: name))' has the pattern '\(pattern.prefix(64))', of which "
                        + "\(width) parts in a row may be left out; at most "
                        + "\(bounds.patternWidth) are taken")
            }
        }
    }
}

extension JSONValue {
    /// Visits the members of all objects within, each before what is in it.
    ///
    /// Values are nested no deeper than the JSON reader allows.
    fileprivate func forEachMember(_ body: (Member) throws -> Void) rethrows {
        switch self {
        case .list(let elements):
            for element in elements { try element.forEachMember(body) }
        case .object(let members):
            for member in members {
                try body(member)
                try member.value.forEachMember(body)
            }
        default: break
        }
    }
}
