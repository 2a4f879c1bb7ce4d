import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("What prompts' tokens cost")
struct TokenCostTests {
    @Test(arguments: [0, 1.0 / 4096, 1.0 / 360, 1.0 / 16])
    func tokensWithin_costNoMoreThanThat_andOneMoreDoes(perPosition: Double) {
        let cost = TokenCost(perPosition: perPosition)
        for start in [0, 1, 17, 500, 8000, 1 << 20] {
            for units in [1.0, 2, 7.5, 64, 512, 100_000] {
                let tokens = cost.tokens(within: units, from: start)
                #expect(cost.units(tokens, from: start) <= units + 1e-6)
                #expect(cost.units(tokens + 1, from: start) > units)
            }
        }
    }

    @Test func nothing_hasRoomForNothing() {
        let cost = TokenCost(perPosition: 1)
        #expect(cost.tokens(within: 0, from: 0) == 0)
        #expect(cost.tokens(within: -1, from: 0) == 0)
        #expect(cost.units(-3, from: 5) == 0)
        #expect(TokenCost().tokens(within: .infinity, from: 0) > 0)
    }

    /// What is learned of steps on a machine that is now and then busy with other things.
    private func learned(
        truth: Double, expected: Double, secondsPerToken: Double = 1e-3, disturbs: Bool = false,
        tokens: ClosedRange<Int> = 16...512, starts: ClosedRange<Int> = 0...2000
    ) -> Double {
        var random = SeededGenerator(seed: 7)
        var cost = StepCost(expected: TokenCost(perPosition: expected))
        for step in 0..<200 {
            let tokens = Int.random(in: tokens, using: &random)
            let positions = TokenCost.positions(tokens, from: .random(in: starts, using: &random))
            var seconds = (10 + Double(tokens) + truth * positions) * secondsPerToken
            seconds *= Double.random(in: 0.9...1.2, using: &random)
            if disturbs, step % 20 == 19 { seconds *= 30 }
            cost.observe(tokens: tokens, positions: positions, seconds: seconds)
        }
        return cost.cost.perPosition
    }

    @Test(arguments: [1e-6, 1e-3, 1], [false, true])
    func steps_tellWhatPositionsCost(secondsPerToken: Double, disturbs: Bool) {
        for truth in [1.0 / 2000, 1.0 / 360] {
            for expected in [truth / 3, truth, truth * 4] {
                let found = learned(
                    truth: truth, expected: expected, secondsPerToken: secondsPerToken,
                    disturbs: disturbs)
                #expect(found > truth * 0.6 && found < truth * 1.7, "\(found) instead of \(truth)")
            }
        }
    }

    /// Else a step would have few tokens, and the next one no more to learn from.
    @Test(arguments: [1.0 / 1000, 1.0 / 360, 1.0 / 100])
    func stepsThatResembleEachOther_leaveItNearWhatWasExpected(expected: Double) {
        let found = learned(
            truth: 1.0 / 360, expected: expected, tokens: 18...22, starts: 550...600)
        #expect(found > expected / 4 && found < expected * 3, "\(found), expected \(expected)")
    }

    @Test func wherePositionsCostNothing_itIsLearned_orKnown() {
        #expect(learned(truth: 0, expected: 1.0 / 1000) < 1.0 / 4000)
        #expect(learned(truth: 0.01, expected: 0) == 0)
    }

    @Test func timesThatMeanNothing_teachNothing() {
        let new = StepCost(expected: TokenCost(perPosition: 0.01))
        var cost = new
        for seconds in [0, -1, .nan, .infinity] {
            cost.observe(tokens: 10, positions: 100, seconds: seconds)
        }
        cost.observe(tokens: 0, positions: 0, seconds: 1)
        #expect(cost == new)
    }
}
