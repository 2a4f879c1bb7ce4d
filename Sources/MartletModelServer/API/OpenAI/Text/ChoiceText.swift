/// Makes the text of one answer of the pieces its tokens stand for: whole characters, up to the
/// first stop sequence, with the log probabilities of the tokens that are in it.
struct ChoiceText: Sendable {
    /// What is ready to be sent.
    struct Delta: Sendable, Equatable {
        /// More text, UTF-8.
        var text: [UInt8] = []

        /// Tokens whose text has begun to be sent and who were not in an earlier delta.
        var logprobs: [AnswerToken] = []

        /// Whether there is nothing to send.
        var isEmpty: Bool { text.isEmpty && logprobs.isEmpty }

        /// Forgets what was sent, but keeps the memory.
        mutating func clear() {
            text.removeAll(keepingCapacity: true)
            logprobs.removeAll(keepingCapacity: true)
        }
    }

    private struct WaitingLogprob: Sendable {
        let logprob: AnswerToken
        /// Bytes of the answer's text before the token's own.
        let start: Int
    }

    private var assembler = UTF8Assembler()
    private var matcher: StopMatcher
    private var waiting: [WaitingLogprob] = []
    /// Whole characters on their way to the matcher; kept for its memory.
    private var characters: [UInt8] = []
    /// Bytes of text that were whole characters so far.
    private var assembledBytes = 0
    /// Bytes of text that were ready to be sent so far.
    private var releasedBytes = 0

    /// Starts with no text.
    ///
    /// - Parameter stop: what ends it; choices of one request can share the automaton.
    init(stop: StopAutomaton) {
        matcher = StopMatcher(stop)
    }

    /// Which stop sequence ended the text; `nil` while none has.
    ///
    /// The sequence need not be generated further then.
    var matchedStop: Int? { matcher.matched }

    /// Takes in a token's text and adds to `delta` what has become ready.
    mutating func receive(
        _ piece: [UInt8], logprob: AnswerToken? = nil, into delta: inout Delta
    ) {
        guard matchedStop == nil else { return }
        if let logprob { waiting.append(WaitingLogprob(logprob: logprob, start: assembledBytes)) }
        characters.removeAll(keepingCapacity: true)
        assembler.receive(piece, into: &characters)
        match(into: &delta)
        releaseLogprobs(all: false, into: &delta)
    }

    /// Ends the text for another reason than a stop sequence and adds to `delta` what was held
    /// back; does nothing when one has ended it.
    mutating func finish(into delta: inout Delta) {
        guard matchedStop == nil else { return }
        characters.removeAll(keepingCapacity: true)
        assembler.finish(into: &characters)
        match(into: &delta)
        guard matchedStop == nil else {
            releaseLogprobs(all: false, into: &delta)
            return
        }
        let before = delta.text.count
        matcher.finish(into: &delta.text)
        releasedBytes += delta.text.count - before
        releaseLogprobs(all: true, into: &delta)
    }

    private mutating func match(into delta: inout Delta) {
        assembledBytes += characters.count
        let before = delta.text.count
        matcher.receive(characters, into: &delta.text)
        releasedBytes += delta.text.count - before
    }

    /// Those whose text begins behind what is released may belong to a stop sequence; so they
    /// wait, or are dropped once it is one.
    private mutating func releaseLogprobs(all: Bool, into delta: inout Delta) {
        guard !waiting.isEmpty else { return }
        let ready = all ? waiting.count : waiting.prefix { $0.start < releasedBytes }.count
        delta.logprobs.append(contentsOf: waiting.prefix(ready).map(\.logprob))
        waiting.removeFirst(ready)
    }
}
