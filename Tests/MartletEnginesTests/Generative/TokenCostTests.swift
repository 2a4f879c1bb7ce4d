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

    /// Steps of prompts at many positions, on a machine that is now and then busy with other things.
    private func learned(perPosition: Double, secondsPerToken: Double, disturbs: Bool) -> Double {
        var random = SeededGenerator(seed: 7)
        var cost = StepCost()
        for step in 0..<200 {
            let tokens = Int.random(in: 8...512, using: &random)
            let start = Int.random(in: 0...2000, using: &random)
            let positions = TokenCost.positions(tokens, from: start)
            var seconds = (5 + Double(tokens) + perPosition * positions) * secondsPerToken
            seconds *= Double.random(in: 0.9...1.2, using: &random)
            if disturbs, step % 20 == 19 { seconds *= 30 }
            cost.observe(tokens: tokens, positions: positions, seconds: seconds)
        }
        return cost.cost.perPosition
    }

    @Test(arguments: [1e-6, 1e-3, 1], [false, true])
    func steps_tellWhatPositionsCost(secondsPerToken: Double, disturbs: Bool) {
        for truth in [1.0 / 2000, 1.0 / 360, 1.0 / 50] {
            let found = learned(
                perPosition: truth, secondsPerToken: secondsPerToken, disturbs: disturbs)
            #expect(found > truth * 0.6 && found < truth * 1.6, "\(found) instead of \(truth)")
        }
        #expect(learned(perPosition: 0, secondsPerToken: secondsPerToken, disturbs: disturbs) < 2e-4)
    }

    @Test func timesThatMeanNothing_teachNothing() {
        var cost = StepCost()
        for seconds in [0, -1, .nan, .infinity] {
            cost.observe(tokens: 10, positions: 100, seconds: seconds)
        }
        cost.observe(tokens: 0, positions: 0, seconds: 1)
        #expect(cost == StepCost())
    }
}
