import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Stop sequences")
struct StopMatcherTests {
    private struct Outcome: Equatable {
        var text: [UInt8]
        var matched: Int?
    }

    private func run(_ stops: [String], _ pieces: [[UInt8]]) -> (Outcome, released: [Int]) {
        var matcher = StopMatcher(StopAutomaton(stops))
        var output: [UInt8] = []
        var released: [Int] = []
        for piece in pieces {
            matcher.receive(piece, into: &output)
            released.append(output.count)
        }
        matcher.finish(into: &output)
        return (Outcome(text: output, matched: matcher.matched), released)
    }

    private func run(_ stops: [String], _ pieces: String...) -> Outcome {
        run(stops, pieces.map { Array($0.utf8) }).0
    }

    /// The definition, followed literally: the first end, there the longest, of equal ones the
    /// first.
    private static func naive(_ stops: [[UInt8]], _ text: [UInt8]) -> Outcome {
        for end in text.indices {
            let fitting = stops.indices.filter { index in
                !stops[index].isEmpty
                    && text[...end].suffix(stops[index].count) == stops[index][...]
            }
            let longest = fitting.map { stops[$0].count }.max()
            if let longest, let index = fitting.first(where: { stops[$0].count == longest }) {
                return Outcome(text: Array(text[..<(end + 1 - longest)]), matched: index)
            }
        }
        return Outcome(text: text, matched: nil)
    }

    @Test func textBeforeTheFirstStop_isAllThatPasses() {
        #expect(run(["END"], "ab", "cE", "ND", "x") == Outcome(text: Array("abc".utf8), matched: 0))
        #expect(run(["x", "END"], "aEND") == Outcome(text: Array("a".utf8), matched: 1))
        #expect(run(["END"], "aEN", "Eb") == Outcome(text: Array("aENEb".utf8), matched: nil))
        #expect(run([], "a", "b") == Outcome(text: Array("ab".utf8), matched: nil))
        #expect(run(["a"], "a") == Outcome(text: [], matched: 0))
    }

    @Test func ofStopsThatEndTogether_theLongestCuts() {
        #expect(run(["bc", "abc"], "xabc") == Outcome(text: Array("x".utf8), matched: 1))
        #expect(run(["abcd", "bc"], "abcd") == Outcome(text: Array("a".utf8), matched: 1))
        #expect(run(["a", "a"], "a").matched == 0)
    }

    @Test func onlyWhatMayBecomeAStop_isHeldBack() {
        let pieces = ["a", "b", "c", "a", "b", "a", "b", "x"].map { Array($0.utf8) }
        // At x the four bytes that waited can no longer become the sequence.
        #expect(run(["ababd"], pieces).released == [0, 0, 3, 3, 3, 3, 3, 8])
    }

    @Test func textHoweverCut_endsWhereTheNaiveSearchEndsIt() {
        var matches = 0
        let seeds = SimulationSeeds.first(4000)
        for seed in seeds {
            var random = SeededGenerator(seed: seed)
            let alphabet = Int.random(in: 1...3, using: &random)
            func word(_ lengths: ClosedRange<Int>) -> [UInt8] {
                (0..<Int.random(in: lengths, using: &random)).map { _ in
                    UInt8(ascii: "a") + UInt8(Int.random(in: 0..<alphabet, using: &random))
                }
            }
            let stops = (0..<Int.random(in: 0...4, using: &random)).map { _ in word(1...6) }
            let text = word(0...40)
            let pieces = OpenAISplits.random(text, using: &random)
            let (outcome, released) = run(stops.map { String(decoding: $0, as: UTF8.self) }, pieces)
            let expected = Self.naive(stops, text)
            #expect(outcome == expected, "\(stops) in \(text), \(SimulationSeeds.replay(seed))")
            matches += outcome.matched == nil ? 0 : 1
            checkHeldBack(released, pieces, stops, expected, seed)
        }
        #expect(seeds.count == 1 || matches > 1000)
    }

    /// After each piece, all is released but the longest end that begins a stop sequence.
    private func checkHeldBack(
        _ released: [Int], _ pieces: [[UInt8]], _ stops: [[UInt8]], _ expected: Outcome,
        _ seed: UInt64
    ) {
        var text: [UInt8] = []
        for (piece, count) in zip(pieces, released) {
            text += piece
            if Self.naive(stops, text).matched != nil {
                #expect(count == expected.text.count, "\(SimulationSeeds.replay(seed))")
                return
            }
            let begins = (0...text.count).reversed().first { length in
                length == 0
                    || stops.contains { $0.count > length && $0.starts(with: text.suffix(length)) }
            }
            #expect(count == text.count - (begins ?? 0), "\(SimulationSeeds.replay(seed))")
        }
    }
}
