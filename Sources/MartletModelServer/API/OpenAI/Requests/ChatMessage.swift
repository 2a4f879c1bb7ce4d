import MartletCore
import MartletTensors

/// One call of a tool, as a model asked for it.
struct ToolCall: Sendable, Equatable {
    /// What the tool's answer refers to, such as `call_1f0c`.
    var id: String

    /// The tool's name.
    var name: String

    /// The arguments, as a rule a JSON object; as the model wrote them, so possibly broken.
    var arguments: String
}

/// One message of a conversation.
struct ChatMessage: Sendable, Equatable {
    /// Whose message it is; raw values are the names that chat templates know.
    enum Role: String, Sendable, CaseIterable {
        case system
        case user
        case assistant
        case tool
    }

    var role: Role

    /// The text; `nil` only for an assistant that called tools without a word.
    var content: String?

    /// What the assistant thought before it answered; `nil` for nothing.
    var thoughts: String?

    /// The participant's or the tool's name.
    var name: String?

    /// The tools that the assistant called.
    var toolCalls: [ToolCall] = []

    /// The call that a tool's message answers.
    var toolCallID: String?
}

extension ChatMessage {
    /// Reads the member `messages` of a request.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the message and field at fault.
    static func list(_ fields: RequestFields, bounds: OpenAILimits) throws -> [ChatMessage] {
        let elements = try fields.required(
            "messages", fields.list("messages", countMaximum: bounds.messages))
        guard !elements.isEmpty else {
            throw ServingError.invalidField(
                "messages", .emptyList, "'messages' is an empty list; give at least one message")
        }
        return try elements.enumerated().map { index, element in
            try ChatMessage(RequestFields(element, at: "messages[\(index)]"), bounds: bounds)
        }
    }

    private init(_ fields: RequestFields, bounds: OpenAILimits) throws {
        role = try ChatMessage.role(fields)
        name = try fields.text("name", bytesMaximum: bounds.nameBytes)
        content = try ChatMessage.content(fields, role: role, bounds: bounds)
        if role == .assistant {
            toolCalls = try ChatMessage.toolCalls(fields, bounds: bounds)
            let thoughts = try fields.text("reasoning_content")
            // A template that is given none may look for them in the content, as in older answers.
            self.thoughts = thoughts?.isEmpty == false ? thoughts : nil
        }
        if role == .tool {
            toolCallID = try fields.required(
                "tool_call_id", fields.text("tool_call_id", bytesMaximum: bounds.nameBytes))
        }
        if content == nil, toolCalls.isEmpty {
            _ = try fields.required("content", content)
        }
    }

    private static func role(_ fields: RequestFields) throws -> Role {
        let name = try fields.required("role", fields.text("role"))
        // OpenAI's newer name for the system's role; chat templates know only the older.
        if name == "developer" { return .system }
        guard let role = Role(rawValue: name) else {
            throw fields.wrong(
                "role", .text(name), "one of system, developer, user, assistant and tool")
        }
        return role
    }

    private static func content(
        _ fields: RequestFields, role: Role, bounds: OpenAILimits
    ) throws -> String? {
        guard let value = try fields.value("content") else { return nil }
        let path = fields.path(of: "content")
        switch value {
        case .text(let text): return text
        case .list(let parts):
            try RequestFields.check(parts.count, of: path, countMaximum: bounds.contentParts)
            // The line between parts is what other servers put there for models without parts.
            return try parts.enumerated().map { index, part in
                try self.part(RequestFields(part, at: "\(path)[\(index)]"), role: role)
            }.joined(separator: "\n")
        default: throw RequestFields.wrong(path, value, .wrongType, "text or a list of parts")
        }
    }

    private static func part(_ fields: RequestFields, role: Role) throws -> String {
        let type = try fields.required("type", fields.text("type"))
        switch type {
        case "text": return try fields.required("text", fields.text("text"))
        case "refusal" where role == .assistant:
            return try fields.required("refusal", fields.text("refusal"))
        default:
            throw fields.wrong("type", .text(type), "'text': the models served here read text")
        }
    }

    private static func toolCalls(
        _ fields: RequestFields, bounds: OpenAILimits
    ) throws -> [ToolCall] {
        let path = fields.path(of: "tool_calls")
        let elements = try fields.list("tool_calls", countMaximum: bounds.toolCalls) ?? []
        return try elements.enumerated().map { index, element in
            let call = try RequestFields(element, at: "\(path)[\(index)]")
            try call.checkFunctionType()
            let function = try call.required("function", call.fields("function"))
            return ToolCall(
                id: try call.required("id", call.text("id", bytesMaximum: bounds.nameBytes)),
                name: try function.required(
                    "name", function.text("name", bytesMaximum: bounds.nameBytes)),
                arguments: try function.required("arguments", function.text("arguments")))
        }
    }
}

extension RequestFields {
    /// Refuses a tool or a call that is not of type `function`, the default.
    func checkFunctionType() throws {
        let type = try text("type") ?? "function"
        guard type == "function" else {
            throw wrong("type", .text(type), "'function', the only type of tool served here")
        }
    }
}
