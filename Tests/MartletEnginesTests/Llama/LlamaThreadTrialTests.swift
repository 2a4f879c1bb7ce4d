import Testing

@testable import MartletEngines

@Suite("How many threads decode a token fastest")
struct LlamaThreadTrialTests {
    @Test func fastestNumberIsChosen() {
        let times: [Int: Duration] = [
            1: .milliseconds(9), 2: .milliseconds(6), 4: .milliseconds(8),
        ]
        #expect(LlamaThreadTrial.best(of: times) == 2)
    }

    @Test func fewerThreadsThatAreAboutAsFast_areChosen() {
        let times: [Int: Duration] = [1: .microseconds(6_100), 2: .milliseconds(6)]
        #expect(LlamaThreadTrial.best(of: times) == 1)
    }

    @Test func nothingMeasured_isNoChoice() {
        #expect(LlamaThreadTrial.best(of: [:]) == nil)
    }
}
