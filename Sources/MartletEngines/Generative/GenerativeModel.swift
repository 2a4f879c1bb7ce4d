public import MartletCore

/// A version of a language model, loaded and able to generate.
///
/// What every engine must keep:
/// 1. each request that was taken gets exactly one last event, whatever happens to it;
/// 2. events of one request come in order, one at a time, on a thread of the engine's: handlers
///    return at once; of the model they may call ``cancel(_:reason:)`` alone;
/// 3. no input ends the process: what an engine could not bear is refused with an error;
/// 4. all calls are safe from several threads at once.
public protocol GenerativeModel: Sendable {
    /// Which version it is.
    var id: ServableID { get }

    /// What was learned when it was loaded.
    var description: GenerativeModelDescription { get }

    /// Bytes of memory that the model and its KV memory take: an estimate.
    var memoryBytes: Int { get }

    /// What it is busy with.
    var load: GenerationLoad { get }

    /// Its parts, where several engines have loaded the version and share its requests; each
    /// remembers prompts for itself. Empty where one engine has it.
    var parts: [GenerativeModelPart] { get }

    /// The tokens of a text.
    ///
    /// - Parameters:
    ///   - text: any text.
    ///   - addsBeginning: whether to put what the model begins with before it, such as BOS.
    ///   - parsesSpecial: whether the names of control tokens become these tokens; `false` for
    ///     what users write.
    /// - Returns: the tokens, in order.
    /// - Throws: `ServingError` if it is longer than the engine takes.
    func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) throws -> [TokenID]

    /// The bytes of tokens' text, which need not be whole characters.
    ///
    /// - Throws: `ServingError`, `INVALID_ARGUMENT`, for a token that the model has not.
    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) throws -> [UInt8]

    /// Writes a chat as a prompt, by the model's own template.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for messages, tools or a schema that are wrong,
    ///   or that the template refuses; `UNIMPLEMENTED` for a model that does not generate.
    func render(_ chat: ChatPrompt) throws -> any RenderedChat

    /// Queues a request.
    ///
    /// - Parameters:
    ///   - request: what to generate.
    ///   - onEvent: told what happens.
    /// - Returns: the request's name, for cancelling it.
    /// - Throws: ``GenerationRefusal``; then there are no events.
    func submit(
        _ request: GenerationRequest,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID

    /// Ends a request; nothing happens if it has ended.
    ///
    /// - Parameters:
    ///   - id: which one.
    ///   - reason: what its last event says.
    func cancel(_ id: GenerationID, reason: FinishReason)

    /// What a model that ranks reads to say how well a document answers a query.
    ///
    /// For it ``embed(_:checking:completion:)`` gives one number, the higher the better.
    ///
    /// - Throws: `ServingError`; `UNIMPLEMENTED` for a model that cannot.
    func rankingPrompt(query: String, document: String) throws -> [TokenID]

    /// Has one vector made for each prompt, of ``GenerativeModelDescription/embeddingSize``
    /// numbers, pooled as the model wants it and not normalised; returns at once, so that no
    /// thread waits for those before it.
    ///
    /// - Parameters:
    ///   - prompts: the tokens of each, at most ``GenerativeModelDescription/contextTokensMax``.
    ///   - check: asked before each part of the work and from time to time, on any thread; an
    ///     error of it ends the work.
    ///   - completion: takes the vectors in the order of the prompts, exactly once, on any thread;
    ///     or a `ServingError`: `UNIMPLEMENTED` for a model that cannot, `RESOURCE_EXHAUSTED` where
    ///     too many requests wait, what `check` throws.
    func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    )

    /// Takes no more requests, ends those there are as cancelled, and gives the memory back;
    /// blocks.
    func unload()
}

extension GenerativeModel {
    /// Ends a request whose client went away.
    public func cancel(_ id: GenerationID) {
        cancel(id, reason: .cancelled)
    }

    /// Most versions are in one engine.
    public var parts: [GenerativeModelPart] { [] }

    /// Few models rank.
    public func rankingPrompt(query: String, document: String) throws -> [TokenID] {
        throw ServingError(.unimplemented, "Model \(id) ranks no documents")
    }

    /// Most models that generate do not embed.
    public func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    ) {
        completion(
            .failure(ServingError(.unimplemented, "Model \(id) makes no embeddings")))
    }
}

/// One engine's load of a version that several engines have.
public struct GenerativeModelPart: Sendable {
    /// The name of the engine.
    public let engine: String

    /// What the engine has loaded; requests go to the whole.
    public let model: any GenerativeModel

    /// Creates a part.
    public init(engine: String, model: any GenerativeModel) {
        self.engine = engine
        self.model = model
    }
}

/// What is known of a language model once it is loaded.
public struct GenerativeModelDescription: Sendable, Equatable {
    /// Most tokens of prompt and text together.
    public var contextTokensMax: Int

    /// How many tokens there are.
    public var vocabularySize: Int

    /// Numbers in an embedding.
    public var embeddingSize: Int

    /// The model's parameters, such as 134,515,008; 0 if not known.
    public var parameterCount: Int

    /// What the engine says of architecture and weight format, such as `llama 135M Q4_0`.
    public var summary: String

    /// The chat template in Jinja; `nil` if the model has none.
    public var chatTemplate: String?

    /// Whether the chat template tells the model of tools.
    public var templateTakesTools: Bool

    /// The text of the token that begins a sequence, for templates; empty if there is none.
    public var beginningText: String

    /// The text of the token that ends a sequence, for templates; empty if there is none.
    public var endText: String

    /// Whether it generates text (encoders do not).
    public var generates: Bool

    /// Whether it makes embeddings.
    public var embeds: Bool

    /// Whether it ranks documents.
    public var ranks: Bool

    /// The LoRA adapters that are loaded, by name.
    public var adapters: [String]

    /// Most sequences that one request may ask for, as all of them have to find room in the queue:
    /// more would be refused however often they are tried.
    public var sequencesMax = Int.max

    /// Most tokens that the prompts of all sequences of a request may have together, likewise.
    public var queuedTokensMax = Int.max

    /// Whether a prompt that begins as an earlier one did finds that computed.
    public var remembersPrompts = true

    /// Creates a description.
    public init(
        contextTokensMax: Int, vocabularySize: Int, embeddingSize: Int, parameterCount: Int = 0,
        summary: String = "", chatTemplate: String? = nil, templateTakesTools: Bool = true,
        beginningText: String = "", endText: String = "", generates: Bool = true,
        embeds: Bool = false, ranks: Bool = false, adapters: [String] = []
    ) {
        self.contextTokensMax = contextTokensMax
        self.vocabularySize = vocabularySize
        self.embeddingSize = embeddingSize
        self.parameterCount = parameterCount
        self.summary = summary
        self.chatTemplate = chatTemplate
        self.templateTakesTools = templateTakesTools
        self.beginningText = beginningText
        self.endText = endText
        self.generates = generates
        self.embeds = embeds
        self.ranks = ranks
        self.adapters = adapters
    }
}
