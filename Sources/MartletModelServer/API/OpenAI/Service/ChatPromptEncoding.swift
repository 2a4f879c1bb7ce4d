internal import Foundation
import MartletEngines
import MartletTensors

extension ChatPrompt {
    /// The conversation of a request, in the form that engines take.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - now: the time, for templates that tell the model the date.
    init(_ request: ChatRequest, now: Date = Date()) {
        self.init(messages: request.messages, tools: [], now: now)
        switch request.toolChoice {
        case .none: break
        case .automatic:
            set(request.tools, .auto)
        case .required:
            set(request.tools, .required)
        case .function(let name):
            set(request.tools.filter { $0.name == name }, .required)
        }
        switch request.responseFormat {
        case .text: break
        case .jsonObject: schema = #"{"type":"object"}"#
        case .jsonSchema(_, let schema): self.schema = ChatPrompt.text(schema)
        }
        variables = request.templateArguments.map(ChatPrompt.text)
        allowsParallelCalls = request.allowsParallelToolCalls
    }

    /// A conversation alone.
    init(messages: [ChatMessage], tools: [ChatTool], now: Date = Date()) {
        var bytes: [UInt8] = []
        bytes.appendJSON(list: messages) { ChatPrompt.append($1, to: &$0) }
        self.init(
            messages: String(decoding: bytes, as: UTF8.self),
            now: Int64(now.timeIntervalSince1970))
        if !tools.isEmpty { set(tools, .auto) }
    }

    private mutating func set(_ tools: [ChatTool], _ choice: ToolChoice) {
        var bytes: [UInt8] = []
        bytes.appendJSON(list: tools) { $0.appendJSON($1.definition) }
        self.tools = String(decoding: bytes, as: UTF8.self)
        toolChoice = choice
    }

    private static func text(_ value: JSONValue) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSON(value)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func append(_ message: ChatMessage, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"role":"#.utf8)
        bytes.appendJSON(message.role.rawValue)
        bytes.append(contentsOf: #","content":"#.utf8)
        bytes.appendJSON(message.content)
        if let thoughts = message.thoughts {
            bytes.append(contentsOf: #","reasoning_content":"#.utf8)
            bytes.appendJSON(thoughts)
        }
        if let name = message.name {
            bytes.append(contentsOf: #","name":"#.utf8)
            bytes.appendJSON(name)
        }
        if !message.toolCalls.isEmpty {
            bytes.append(contentsOf: #","tool_calls":"#.utf8)
            bytes.appendJSON(list: message.toolCalls) { ChatAnswer.append($1, to: &$0) }
        }
        if let id = message.toolCallID {
            bytes.append(contentsOf: #","tool_call_id":"#.utf8)
            bytes.appendJSON(id)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
