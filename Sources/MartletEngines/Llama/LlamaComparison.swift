import MartletCore

/// What became of a model by writing it in another type.
public struct LlamaComparison: Sendable, Equatable {
    /// The model as it was.
    public let before: LlamaMeasurement

    /// The model as it is.
    public let after: LlamaMeasurement

    /// Compares two measurements.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) where they are not of the same tokens.
    public init(before: LlamaMeasurement, after: LlamaMeasurement) throws {
        guard before.tokens == after.tokens, before.choices.count == after.choices.count else {
            throw ServingError.invalidArgument(
                "Models that read a text as different tokens cannot be compared")
        }
        self.before = before
        self.after = after
    }

    /// At what share of the text's places both hold the same next token for the likeliest, from 0
    /// to 1.
    public var agreement: Double {
        guard !before.choices.isEmpty else { return 1 }
        let same = zip(before.choices, after.choices).count { $0 == $1 }
        return Double(same) / Double(before.choices.count)
    }
}
