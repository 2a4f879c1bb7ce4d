/// The files of a language model, checked, and what they say that engines plan by.
public struct LanguageModelFiles: Sendable, Equatable {
    /// The file; of several parts the first.
    public var path: String

    /// LoRA adapters by name, each a file.
    public var adapters: [String: String]

    /// Bytes of KV memory that a token takes in half precision.
    public var cellBytes: Int

    /// How many files it is in.
    public var partCount: Int

    /// The types in which weights are stored, such as `Q4_0`; empty if not known.
    public var weightTypes: Set<String>

    /// Creates a description.
    public init(
        path: String, adapters: [String: String] = [:], cellBytes: Int, partCount: Int = 1,
        weightTypes: Set<String> = []
    ) {
        self.path = path
        self.adapters = adapters
        self.cellBytes = cellBytes
        self.partCount = partCount
        self.weightTypes = weightTypes
    }
}
