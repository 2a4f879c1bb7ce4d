/// A token of a model's vocabulary, from 0 on.
public typealias TokenID = Int32

/// A token's place in its sequence, the first being 0.
public typealias TokenPosition = Int32

/// A sequence's place in an engine's KV memory, from 0 on; llama.cpp's `llama_seq_id`.
public typealias SlotID = Int32

/// Names a request to a generative model, for as long as the model is loaded.
public struct GenerationID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Counts the requests that the model took.
    public let number: UInt64

    /// Creates a name.
    public init(number: UInt64) {
        self.number = number
    }

    /// The number alone.
    public var description: String { String(number) }

    /// The older request sorts first.
    public static func < (left: GenerationID, right: GenerationID) -> Bool {
        left.number < right.number
    }
}
