/// Every bound on a request of OpenAI's API beyond those of `Limits`, with its default.
///
/// A request beyond a bound is refused with an error that names the field and the bound. Where
/// OpenAI publishes a bound of its own, the default is that one.
public struct OpenAILimits: Sendable, Equatable {
    /// Most messages of a conversation.
    public var messages = 2048

    /// Most parts of one message's content.
    public var contentParts = 1024

    /// Most calls of tools in one message.
    public var toolCalls = 128

    /// Most tools a request may define.
    public var tools = 128

    /// Longest description of a tool, in bytes of UTF-8.
    public var descriptionBytes = 16 * 1024

    /// Most values (numbers, strings, lists, objects) of one JSON schema, or of the arguments of a
    /// chat template.
    ///
    /// What a grammar made of it may cost is bounded where it is made.
    public var schemaValues = 4096

    /// Longest name and reference (`$ref`) in a JSON schema, in bytes of UTF-8.
    ///
    /// llama.cpp makes a grammar by functions that recurse once for each character of them: some
    /// 20,000 end the process.
    public var schemaNameBytes = 512

    /// Most places of a schema's pattern at which a text may stand at once (see ``PatternWidth``).
    public var patternWidth = 24

    /// Most properties of one object that a schema lets an answer leave out (see
    /// ``OptionalProperties``).
    public var optionalProperties = 256

    /// Most answers that one request may ask for: prompts times `n`.
    public var choices = 128

    /// Most stop sequences; OpenAI takes 4, other servers more.
    public var stopSequences = 16

    /// Longest stop sequence, in bytes of UTF-8.
    public var stopBytes = 1024

    /// Most tokens with a bias.
    public var logitBiases = 1024

    /// Widest window of the penalties, in tokens.
    public var penaltyWindow = 131_072

    /// Most alternatives a token's log probability may be given with.
    public var topLogprobs = 20

    /// Most prompts of a completion.
    public var prompts = 128

    /// Most texts of a request for embeddings.
    public var embeddingInputs = 2048

    /// Most documents of a request to rerank.
    public var documents = 2048

    /// Most token numbers in one list.
    public var inputTokens = 1024 * 1024

    /// Longest name of a model, a tool, a participant or an end user, in bytes of UTF-8.
    public var nameBytes = 256

    /// The defaults.
    public init() {}
}
