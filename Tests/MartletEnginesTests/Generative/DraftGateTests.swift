import Testing

@testable import MartletEngines

@Suite("Whether a draft model is of use")
struct DraftGateTests {
    /// Takes steps until the ways have been tried, and says which is kept.
    private func kept(
        secondsWith: Double, tokensWith: Double, secondsWithout: Double
    ) -> DraftGate {
        var gate = DraftGate()
        for _ in 0..<gate.trialSteps * 2 {
            if gate.usesDrafts {
                gate.didStep(seconds: secondsWith, tokens: tokensWith)
            } else {
                gate.didStep(seconds: secondsWithout, tokens: 1)
            }
        }
        return gate
    }

    @Test func bothWays_areTriedInTurns() {
        var gate = DraftGate()
        var uses: [Bool] = []
        for _ in 0..<gate.trialSteps * 2 {
            uses.append(gate.usesDrafts)
            gate.didStep(seconds: 0.01, tokens: 1)
        }
        #expect(uses.prefix(16).allSatisfy { $0 })
        #expect(uses.suffix(16).allSatisfy { !$0 })
    }

    @Test func theFasterWay_isKept() {
        #expect(kept(secondsWith: 0.02, tokensWith: 3, secondsWithout: 0.01).usesDrafts)
        #expect(!kept(secondsWith: 0.02, tokensWith: 1.5, secondsWithout: 0.01).usesDrafts)
        // As fast is not worth it.
        #expect(!kept(secondsWith: 0.02, tokensWith: 2, secondsWithout: 0.01).usesDrafts)
        #expect(!kept(secondsWith: 0, tokensWith: 1, secondsWithout: 0).usesDrafts)
    }

    @Test func whatWasKept_isTriedAgain() {
        var gate = kept(secondsWith: 0.02, tokensWith: 1, secondsWithout: 0.01)
        for _ in 0..<gate.termSteps {
            #expect(!gate.usesDrafts)
            gate.didStep(seconds: 0.01, tokens: 1)
        }
        #expect(gate.usesDrafts)
        for _ in 0..<gate.trialSteps { gate.didStep(seconds: 0.01, tokens: 4) }
        for _ in 0..<gate.trialSteps { gate.didStep(seconds: 0.01, tokens: 1) }
        #expect(gate.usesDrafts)
    }
}
