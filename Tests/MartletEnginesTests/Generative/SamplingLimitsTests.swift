import MartletCore
import Testing

@testable import MartletEngines

@Suite("Sampling limits")
struct SamplingLimitsTests {
    private func error(_ change: (inout SamplingParameters) -> Void) -> ServingError? {
        var parameters = SamplingParameters()
        change(&parameters)
        do {
            try SamplingLimits().check(parameters, vocabulary: 100)
            return nil
        } catch {
            return error
        }
    }

    @Test
    func theDefaultsAndTheBounds_areTaken() {
        #expect(error { _ in } == nil)
        let bounds: [(inout SamplingParameters) -> Void] = [
            { $0.temperature = 0 }, { $0.temperature = 2 }, { $0.topP = 0 }, { $0.topP = 1 },
            { $0.topK = 0 }, { $0.minP = 1 }, { $0.frequencyPenalty = -2 },
            { $0.presencePenalty = 2 }, { $0.repetitionPenalty = 0.01 }, { $0.penaltyWindow = -1 },
            { $0.logprobs = 20 }, { $0.logitBias = [0: -100, 99: 100] },
        ]
        for change in bounds { #expect(error(change) == nil) }
    }

    @Test
    func whatIsBeyondABoundOrNotANumber_isRefusedByName() {
        let wrong: [(String, (inout SamplingParameters) -> Void)] = [
            ("temperature", { $0.temperature = -0.1 }), ("temperature", { $0.temperature = .nan }),
            ("temperature", { $0.temperature = .infinity }), ("top_p", { $0.topP = 1.01 }),
            ("top_p", { $0.topP = .nan }), ("top_k", { $0.topK = -1 }),
            ("top_k", { $0.topK = .max }), ("min_p", { $0.minP = -1 }),
            ("frequency_penalty", { $0.frequencyPenalty = 2.5 }),
            ("presence_penalty", { $0.presencePenalty = -.infinity }),
            ("repetition_penalty", { $0.repetitionPenalty = 0 }),
            ("penalty_window", { $0.penaltyWindow = -2 }), ("top_logprobs", { $0.logprobs = 21 }),
            ("top_logprobs", { $0.logprobs = -1 }), ("logit_bias", { $0.logitBias = [100: 1] }),
            ("logit_bias", { $0.logitBias = [-1: 1] }),
            ("logit_bias", { $0.logitBias = [1: .nan] }),
            ("grammar", { $0.grammar = String(repeating: "x", count: 300_000) }),
        ]
        for (name, change) in wrong {
            let error = error(change)
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(name) == true, "\(name)")
        }
    }
}
