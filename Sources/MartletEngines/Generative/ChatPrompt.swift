/// A chat to be made a prompt of.
public struct ChatPrompt: Sendable, Equatable {
    /// Whether the model may, must or must not call tools.
    public enum ToolChoice: String, Sendable {
        /// As it likes.
        case auto
        /// It is shown none.
        case none
        /// It answers by a call.
        case required
    }

    /// The messages: a JSON array in the form of OpenAI's API.
    public var messages: String

    /// The tools, likewise; `nil` for none.
    public var tools: String?

    /// Whether they are called.
    public var toolChoice = ToolChoice.auto

    /// A JSON schema that the answer must follow; `nil` for any text.
    public var schema: String?

    /// A Jinja template in place of the model's own.
    public var template: String?

    /// A JSON object of further variables for the template.
    public var variables: String?

    /// Seconds since 1970, for templates that tell the model the date.
    public var now: Int64

    /// Whether the prompt ends where the assistant's answer begins.
    public var opensAnswer = true

    /// Whether the answer goes on with the last message, which is the assistant's.
    public var continuesAnswer = false

    /// Whether one answer may call several tools.
    public var allowsParallelCalls = true

    /// Whether a model thinks first that can be told not to.
    public var allowsThinking = true

    /// Whether thoughts are told apart from the answer.
    public var splitsThoughts = true

    /// A chat.
    public init(messages: String, now: Int64) {
        self.messages = messages
        self.now = now
    }
}
