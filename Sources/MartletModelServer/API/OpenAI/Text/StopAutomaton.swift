/// Finds several texts at once in a text that comes byte by byte: the automaton of Aho and
/// Corasick ("Efficient string matching", 1975).
///
/// A state stands for the longest end of the text so far that begins one of the texts sought, so
/// its depth is the number of bytes that may still become a match.
struct StopAutomaton: Sendable {
    /// A text that ends here.
    struct Match: Sendable, Equatable {
        /// Which of the texts sought; of equal ones the first.
        let index: Int

        /// Its length in bytes.
        let length: Int
    }

    private struct State: Sendable {
        var byte: UInt8
        var depth: Int
        /// The state of the longest proper end of this one's text.
        var link = StopAutomaton.start
        /// Children are a chain of siblings; `start` ends it, for no state leads there.
        var firstChild = StopAutomaton.start
        var nextSibling = StopAutomaton.start
        /// The longest text that ends in this state.
        var match: Match?
    }

    /// The state before any text.
    static let start = 0

    private var states: [State] = [State(byte: 0, depth: 0)]

    /// Builds the automaton; empty texts are left out.
    init(_ texts: [String]) {
        for (index, text) in texts.enumerated() where !text.isEmpty {
            insert(text, index: index)
        }
        linkStates()
    }

    /// Whether there is nothing to find.
    var isEmpty: Bool { states.count == 1 }

    /// The number of bytes that may still become a match.
    func depth(of state: Int) -> Int { states[state].depth }

    /// The longest text that ends in a state.
    func match(in state: Int) -> Match? { states[state].match }

    /// The state behind one more byte.
    func next(_ state: Int, _ byte: UInt8) -> Int {
        var state = state
        while true {
            let child = child(of: state, byte)
            if child != StopAutomaton.start || state == StopAutomaton.start { return child }
            state = states[state].link
        }
    }

    private func child(of state: Int, _ byte: UInt8) -> Int {
        var child = states[state].firstChild
        while child != StopAutomaton.start, states[child].byte != byte {
            child = states[child].nextSibling
        }
        return child
    }

    private mutating func insert(_ text: String, index: Int) {
        var state = StopAutomaton.start
        for byte in text.utf8 {
            var child = child(of: state, byte)
            if child == StopAutomaton.start {
                child = states.count
                var new = State(byte: byte, depth: states[state].depth + 1)
                new.nextSibling = states[state].firstChild
                states.append(new)
                states[state].firstChild = child
            }
            state = child
        }
        if states[state].match == nil {
            states[state].match = Match(index: index, length: states[state].depth)
        }
    }

    /// Sets the links breadth first: a state's link is shallower, so it is complete by then.
    private mutating func linkStates() {
        var queue = [StopAutomaton.start]
        var position = 0
        while position < queue.count {
            let parent = queue[position]
            position += 1
            var child = states[parent].firstChild
            while child != StopAutomaton.start {
                let link =
                    parent == StopAutomaton.start
                    ? StopAutomaton.start : next(states[parent].link, states[child].byte)
                states[child].link = link
                states[child].match = states[child].match ?? states[link].match
                queue.append(child)
                child = states[child].nextSibling
            }
        }
    }
}
