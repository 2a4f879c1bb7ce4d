/// Ends a text at the first stop sequence in it, while the text still comes.
///
/// The first is the one that is complete first; of those that end at the same byte, the longest.
/// The text before it is passed on, and nothing after that. An end of the text that may still
/// become a stop sequence is held back until more text tells, so that no client sees the begin of
/// one.
struct StopMatcher: Sendable {
    private let automaton: StopAutomaton
    private var state = StopAutomaton.start

    /// The bytes that are held back; as many as the state's depth between calls.
    private var held: [UInt8] = []

    /// Which stop sequence ended the text; `nil` while none has.
    private(set) var matched: Int?

    /// Starts with no text.
    init(_ automaton: StopAutomaton) {
        self.automaton = automaton
    }

    /// Takes in more text and appends to `output` what cannot belong to a stop sequence.
    ///
    /// Once the text has ended, more of it changes nothing.
    mutating func receive(_ text: [UInt8], into output: inout [UInt8]) {
        guard matched == nil else { return }
        guard !automaton.isEmpty else {
            output.append(contentsOf: text)
            return
        }
        for (index, byte) in text.enumerated() {
            state = automaton.next(state, byte)
            guard let match = automaton.match(in: state) else { continue }
            matched = match.index
            release(text[...index], keeping: match.length, into: &output)
            held.removeAll()
            return
        }
        release(text[...], keeping: automaton.depth(of: state), into: &output)
    }

    /// Ends the text: what was held back is no stop sequence.
    mutating func finish(into output: inout [UInt8]) {
        output.append(contentsOf: held)
        held.removeAll()
        state = StopAutomaton.start
    }

    /// Appends what was held back and `text` to `output`, but for the last `count` bytes, which
    /// are held back from now on.
    private mutating func release(
        _ text: ArraySlice<UInt8>, keeping count: Int, into output: inout [UInt8]
    ) {
        let fromHeld = min(held.count, max(0, held.count + text.count - count))
        output.append(contentsOf: held.prefix(fromHeld))
        held.removeFirst(fromHeld)
        let fromText = max(0, text.count - count)
        output.append(contentsOf: text.prefix(fromText))
        held.append(contentsOf: text.dropFirst(fromText))
    }
}
