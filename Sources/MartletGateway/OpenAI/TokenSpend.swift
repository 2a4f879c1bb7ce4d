/// Tokens that a language model has read and written for an answer.
struct TokenSpend: Sendable, Hashable {
    /// The most that is believed of either (a billion): more than any context holds.
    static let most = 1_000_000_000

    /// Of the prompt.
    var input = 0
    /// Of the answer.
    var output = 0

    /// Both.
    var total: Int { input + output }
}
