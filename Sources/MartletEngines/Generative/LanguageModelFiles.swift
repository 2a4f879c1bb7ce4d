/// The files of a language model, checked, and what they say that engines plan by.
public struct LanguageModelFiles: Sendable, Equatable {
    /// The file; of several parts the first.
    public var path: String

    /// LoRA adapters by name, each a file.
    public var adapters: [String: String]

    /// The smaller model that guesses for it; `nil` for none.
    public var draft: DraftModelFiles?

    /// Bytes of KV memory that a token takes in half precision.
    public var cellBytes: Int

    /// What the file says of the model's size; it is weighed before the model is loaded.
    public var sizes: LanguageModelSizes

    /// How many files it is in.
    public var partCount: Int

    /// The types in which weights are stored, such as `Q4_0`; empty if not known.
    public var weightTypes: Set<String>

    /// Creates a description.
    public init(
        path: String, adapters: [String: String] = [:], cellBytes: Int,
        sizes: LanguageModelSizes = LanguageModelSizes(), partCount: Int = 1,
        weightTypes: Set<String> = []
    ) {
        self.path = path
        self.adapters = adapters
        self.cellBytes = cellBytes
        self.sizes = sizes
        self.partCount = partCount
        self.weightTypes = weightTypes
    }
}

/// A smaller language model that guesses for another, checked.
public struct DraftModelFiles: Sendable, Equatable {
    /// The file; of several parts the first.
    public var path: String

    /// Bytes of all its files.
    public var fileBytes: Int

    /// Bytes of KV memory that a token takes in half precision.
    public var cellBytes: Int

    /// What the file says of the model's size.
    public var sizes: LanguageModelSizes

    /// Creates a description.
    public init(path: String, fileBytes: Int, cellBytes: Int, sizes: LanguageModelSizes) {
        self.path = path
        self.fileBytes = fileBytes
        self.cellBytes = cellBytes
        self.sizes = sizes
    }
}

/// Sizes of a language model that say what memory it takes to compute.
public struct LanguageModelSizes: Sendable, Equatable {
    /// Most tokens of a sequence that it was trained with; 0 where that is not known.
    public var contextTokens: Int

    /// The number of tokens that there are.
    public var vocabulary: Int

    /// Elements of a token's state.
    public var embedding: Int

    /// Whether it makes vectors of texts in place of further text.
    public var embeds: Bool

    /// Creates a description.
    public init(
        contextTokens: Int = 0, vocabulary: Int = 0, embedding: Int = 0, embeds: Bool = false
    ) {
        self.contextTokens = contextTokens
        self.vocabulary = vocabulary
        self.embedding = embedding
        self.embeds = embeds
    }
}
