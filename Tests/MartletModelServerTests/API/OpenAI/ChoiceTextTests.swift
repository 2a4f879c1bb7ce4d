import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Text of one choice")
struct ChoiceTextTests {
    private func token(_ bytes: [UInt8]) -> AnswerToken { AnswerToken(bytes: bytes, logprob: -1) }

    /// Feeds pieces; returns what each made ready, and at the end the rest.
    private func run(_ stops: [String], _ pieces: [[UInt8]]) -> [ChoiceText.Delta] {
        var choice = ChoiceText(stop: StopAutomaton(stops))
        var deltas: [ChoiceText.Delta] = []
        for piece in pieces {
            var delta = ChoiceText.Delta()
            choice.receive(piece, logprob: token(piece), into: &delta)
            deltas.append(delta)
        }
        var rest = ChoiceText.Delta()
        choice.finish(into: &rest)
        return deltas + [rest]
    }

    private func delta(_ text: String, _ tokens: [String]) -> ChoiceText.Delta {
        ChoiceText.Delta(text: Array(text.utf8), logprobs: tokens.map { token(Array($0.utf8)) })
    }

    private func run(_ stops: [String], _ pieces: String...) -> [ChoiceText.Delta] {
        run(stops, pieces.map { Array($0.utf8) })
    }

    @Test func tokens_comeWithTheirText() {
        #expect(
            run(["END"], "a", "bE", "N", "x")
                == [
                    delta("a", ["a"]), delta("b", ["bE"]), delta("", []), delta("ENx", ["N", "x"]),
                    delta("", []),
                ])
    }

    @Test func tokensOfTheStopSequence_areLeftOut() {
        #expect(
            run(["END"], "a", "E", "ND", "x")
                == [delta("a", ["a"]), delta("", []), delta("", []), delta("", []), delta("", [])])
    }

    @Test func beginOfAStopSequence_comesAtTheEnd() {
        #expect(run(["END"], "aEN") == [delta("a", ["aEN"]), delta("EN", [])])
        #expect(run(["END"], "EN") == [delta("", []), delta("EN", ["EN"])])
    }

    @Test func tokensOfOneCharacter_comeTogether() {
        let euro = Array("€".utf8)
        let first = Array(euro[..<1])
        let second = Array(euro[1...])
        #expect(
            run([], [first, second]) == [
                delta("", []),
                ChoiceText.Delta(text: euro, logprobs: [token(first), token(second)]),
                delta("", []),
            ])
    }

    @Test func characterThatNeverEnds_isReplacedAtTheEnd() {
        let cut: [UInt8] = [0xe2, 0x82]
        #expect(
            run([], [cut]) == [
                delta("", []),
                ChoiceText.Delta(text: [0xef, 0xbf, 0xbd], logprobs: [token(cut)]),
            ])
        #expect(run(["\u{fffd}"], [[97], cut]).map(\.text) == [[97], [], []])
    }

    @Test func textOfAnyPieces_isThatOfTheWhole() {
        for seed in SimulationSeeds.first(1000) {
            var random = SeededGenerator(seed: seed)
            let parts = ["a", "é", "€", "STOP", "ST", "\u{1}"]
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                text += Array((parts.randomElement(using: &random) ?? "").utf8)
                if Int.random(in: 0..<8, using: &random) == 0 { text.append(0xe2) }
            }
            let whole = run(["STOP", "é€"], [text])
            let pieces = OpenAISplits.random(text, using: &random)
            let cut = run(["STOP", "é€"], pieces)
            #expect(
                cut.flatMap(\.text) == whole.flatMap(\.text), "\(SimulationSeeds.replay(seed))")
            let tokens = cut.flatMap(\.logprobs)
            #expect(tokens == pieces.prefix(tokens.count).map { token($0) })
        }
    }
}
