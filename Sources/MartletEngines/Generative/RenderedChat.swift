/// A chat as a model reads it, and how its answer is held to a form and read.
///
/// All of it may be used by several threads at once.
public protocol RenderedChat: Sendable {
    /// The text for the model: its special tokens are to be read as such, and none added.
    var prompt: String { get }

    /// Texts that end the answer, beside the model's own tokens.
    var stops: [String] { get }

    /// Whether the text that is generated is the message as it is; else ``read(_:isPartial:)``
    /// tells.
    var isPlain: Bool { get }

    /// What the generated text says.
    ///
    /// - Parameters:
    ///   - text: all of it so far.
    ///   - isPartial: whether more may follow.
    /// - Returns: the message so far.
    /// - Throws: `ServingError` (`INTERNAL`) for a text that is not of the form.
    func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage

    /// Whether a text that begins so is the message as it is, whatever follows, and need not be
    /// read any more.
    func staysPlain(after beginning: String) -> Bool
}

extension RenderedChat {
    /// Nobody knows.
    public func staysPlain(after beginning: String) -> Bool { false }
}

/// The assistant's message.
public struct GeneratedMessage: Sendable, Equatable {
    /// What it says.
    public let content: String

    /// What it thought before; empty without.
    public let thoughts: String

    /// The tools that it calls.
    public let calls: [GeneratedToolCall]

    /// Creates a message.
    public init(content: String, thoughts: String = "", calls: [GeneratedToolCall] = []) {
        self.content = content
        self.thoughts = thoughts
        self.calls = calls
    }
}

/// A call of a tool.
public struct GeneratedToolCall: Sendable, Equatable {
    /// The tool.
    public let name: String

    /// Its arguments: a JSON object, or the beginning of one.
    public let arguments: String

    /// What the model names the call; mostly empty.
    public let id: String

    /// Creates a call.
    public init(name: String, arguments: String, id: String = "") {
        self.name = name
        self.arguments = arguments
        self.id = id
    }
}
