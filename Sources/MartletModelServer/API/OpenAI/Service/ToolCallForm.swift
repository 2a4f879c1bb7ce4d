import MartletCore
import MartletEngines
import MartletTensors

/// How a model calls tools whose own template knows of none: it is told of them by a message of
/// the system, and answers by a JSON object with the name and the arguments.
///
/// A model that must call is held to that by a grammar; one that may is taken at its word.
struct ToolCallForm: Sendable {
    private let tools: [ChatTool]
    private let isRequired: Bool

    /// The form of a request; `nil` where nothing is to be called, or the template does it.
    init?(_ request: ChatRequest, templateTakesTools: Bool) {
        guard !templateTakesTools, !request.tools.isEmpty else { return nil }
        switch request.toolChoice {
        case .none: return nil
        case .automatic: (tools, isRequired) = (request.tools, false)
        case .required: (tools, isRequired) = (request.tools, true)
        case .function(let name):
            (tools, isRequired) = (request.tools.filter { $0.name == name }, true)
        }
    }

    // MARK: Asking

    /// The conversation with what the model has to know of tools, and none for the template.
    func prompt(_ request: ChatRequest) -> ChatPrompt {
        var told = request
        told.tools = []
        told.toolChoice = .none
        told.messages = messages(request.messages)
        var prompt = ChatPrompt(told)
        if isRequired { prompt.schema = schema }
        return prompt
    }

    private func messages(_ messages: [ChatMessage]) -> [ChatMessage] {
        var names: [String: String] = [:]
        var told = messages.map { message -> ChatMessage in
            for call in message.toolCalls { names[call.id] = call.name }
            return plain(message, names: names)
        }
        if let first = told.first, first.role == .system {
            told[0].content = (first.content ?? "") + "\n\n" + instruction
        } else {
            told.insert(ChatMessage(role: .system, content: instruction), at: 0)
        }
        return told
    }

    /// A message without what such a template does not know.
    private func plain(_ message: ChatMessage, names: [String: String]) -> ChatMessage {
        var plain = message
        plain.toolCalls = []
        plain.toolCallID = nil
        switch message.role {
        case .tool:
            let name = message.toolCallID.flatMap { names[$0] } ?? message.name ?? "the function"
            plain.role = .user
            plain.name = nil
            plain.content = "\(name) returned: \(message.content ?? "")"
        case .assistant where !message.toolCalls.isEmpty:
            let calls = message.toolCalls.map(ToolCallForm.text)
            plain.content = ([message.content].compactMap { $0 } + calls).joined(separator: "\n")
        case .assistant, .system, .user: break
        }
        return plain
    }

    private static func text(of call: ToolCall) -> String {
        var bytes = Array(#"{"name":"#.utf8)
        bytes.appendJSON(call.name)
        // As the model wrote them.
        bytes += Array(#","arguments":\#(call.arguments)}"#.utf8)
        return String(decoding: bytes, as: UTF8.self)
    }

    private var instruction: String {
        var bytes: [UInt8] = []
        bytes.appendJSON(list: tools) { $0.appendJSON($1.definition) }
        let when = isRequired ? "Call one" : "To call one"
        return "There are functions that you can call. \(when): answer only by a JSON object with "
            + #"its name and its arguments, such as {"name": "NAME", "arguments": {"KEY": 1}}. "#
            + "The functions, with JSON schemas of their arguments: "
            + String(decoding: bytes, as: UTF8.self)
    }

    /// A JSON schema of one call of one of the tools.
    private var schema: String {
        var bytes = Array(#"{"anyOf":"#.utf8)
        bytes.appendJSON(list: tools.enumerated()) { bytes, tool in
            bytes += Array(#"{"type":"object","properties":{"name":{"const":"#.utf8)
            bytes.appendJSON(tool.element.name)
            bytes += Array(#"},"arguments":"#.utf8)
            if let parameters = tool.element.parameters {
                let place = "/anyOf/\(tool.offset)/properties/arguments"
                ToolCallForm.append(parameters, at: place, to: &bytes)
            } else {
                bytes += Array(#"{"type":"object","additionalProperties":false}"#.utf8)
            }
            bytes += Array(
                #"},"required":["name","arguments"],"additionalProperties":false}"#.utf8)
        }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes a schema as a part of another: its references to its own parts, such as
    /// `#/$defs/NAME`, begin at the whole.
    private static func append(_ schema: JSONValue, at place: String, to bytes: inout [UInt8]) {
        switch schema {
        case .list(let elements):
            bytes.appendJSON(list: elements) { append($1, at: place, to: &$0) }
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.appendJSON(member.name)
                bytes.append(UInt8(ascii: ":"))
                if member.name == "$ref", case .text(let path) = member.value, path.hasPrefix("#") {
                    bytes.appendJSON("#\(place)\(path.dropFirst())")
                } else {
                    append(member.value, at: place, to: &bytes)
                }
            }
            bytes.append(UInt8(ascii: "}"))
        default: bytes.appendJSON(schema)
        }
    }

    // MARK: Reading

    /// What a text says so far: nothing, while it may become a call.
    ///
    /// - Throws: `ServingError` (`INTERNAL`) for one that must be a call and is none.
    func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
        let start = text.first { !$0.isWhitespace }
        if isPartial {
            let mayCall = isRequired || start == nil || start == "{"
            return GeneratedMessage(content: mayCall ? "" : text)
        }
        guard isRequired || start == "{" else { return GeneratedMessage(content: text) }
        if let call = call(in: text) { return GeneratedMessage(content: "", calls: [call]) }
        guard !isRequired else {
            throw ServingError(.internal, "The answer is no call of a function")
        }
        return GeneratedMessage(content: text)
    }

    /// Whether a text that begins so can be no call, whatever follows.
    func staysPlain(after beginning: String) -> Bool {
        guard !isRequired, let start = beginning.first(where: { !$0.isWhitespace }) else {
            return false
        }
        return start != "{"
    }

    private func call(in text: String) -> GeneratedToolCall? {
        guard
            case .object(let members)? = try? JSONValue(
                parsing: Array(text.utf8), limits: Limits())
        else { return nil }
        let values = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
        guard case .text(let name)? = values["name"], tools.contains(where: { $0.name == name }),
            let arguments = values["arguments"], case .object = arguments
        else { return nil }
        var bytes: [UInt8] = []
        bytes.appendJSON(arguments)
        return GeneratedToolCall(name: name, arguments: String(decoding: bytes, as: UTF8.self))
    }
}

/// A chat whose answers are read by the form, and not as the template writes calls.
struct ToolCallChat: RenderedChat {
    let rendered: any RenderedChat
    let form: ToolCallForm

    var prompt: String { rendered.prompt }
    var stops: [String] { rendered.stops }
    var isPlain: Bool { false }

    /// Behind the thoughts of a model that thinks.
    func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
        guard !rendered.isPlain else { return try form.read(text, isPartial: isPartial) }
        let answer = try rendered.read(text, isPartial: isPartial)
        let isThinking = answer.content.isEmpty && !answer.thoughts.isEmpty
        let message = isThinking ? answer : try form.read(answer.content, isPartial: isPartial)
        return GeneratedMessage(
            content: message.content, thoughts: answer.thoughts, calls: message.calls)
    }

    func staysPlain(after beginning: String) -> Bool {
        (rendered.isPlain || rendered.staysPlain(after: beginning))
            && form.staysPlain(after: beginning)
    }
}
