/// Guesses what a sequence says next from what it said before.
///
/// If its last few tokens occurred earlier, what followed then is proposed now: this is right often
/// where a model repeats its prompt, as in summaries, edits and code (prompt lookup decoding: Saxena,
/// 2023; the check of several guesses in one step: Leviathan et al., "Fast Inference from
/// Transformers via Speculative Decoding", 2023). It costs no model, and nothing when it finds
/// nothing.
struct PromptLookup: Sendable, Equatable {
    /// Fewest tokens that have to agree.
    var matchMin = 2

    /// The most that are compared: a place where so many agree is taken at once.
    var matchMax = 5

    /// How far back it looks, in tokens.
    var windowTokens = 4096

    /// Guesses that follow a sequence.
    ///
    /// Of the places where the end of the sequence occurred before, that with the longest agreement
    /// counts, and the latest of those. Guesses that reach the end of the sequence go on with
    /// themselves, as a text that repeats itself does.
    ///
    /// - Parameters:
    ///   - tokens: the sequence so far.
    ///   - limit: most guesses.
    /// - Returns: what may come next; empty if nothing like it occurred.
    func propose(after tokens: [TokenID], limit: Int) -> [TokenID] {
        let count = tokens.count
        guard limit > 0, matchMin > 0, count > matchMin else { return [] }
        let oldest = max(matchMin, count - max(0, windowTokens))
        var best = (length: matchMin - 1, next: count)
        var next = count - 1
        while next >= oldest {
            let length = Self.agreement(tokens, at: next, limit: max(matchMin, matchMax))
            if length > best.length {
                best = (length, next)
                if length >= matchMax { break }
            }
            next -= 1
        }
        guard best.next < count else { return [] }
        let period = count - best.next
        return (0..<limit).map { tokens[best.next + $0 % period] }
    }

    /// How many tokens before a place are those that the sequence ends with.
    private static func agreement(_ tokens: [TokenID], at place: Int, limit: Int) -> Int {
        var length = 0
        while length < limit, length < place,
            tokens[place - 1 - length] == tokens[tokens.count - 1 - length]
        {
            length += 1
        }
        return length
    }
}
