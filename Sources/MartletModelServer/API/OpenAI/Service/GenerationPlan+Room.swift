import MartletCore
import MartletEngines

extension GenerationPlan {
    /// Refuses more answers than the model's queue could ever hold: to try again is of no use.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    func checkRoom() throws {
        let most = target.model.description.sequencesMax
        guard requests.count <= most else {
            throw refusal(
                "in all; the model's queue holds \(most). Ask for fewer at once, or raise "
                    + "--max-waiting-sequences")
        }
        let tokens = requests.reduce(0) { $0 + $1.prompt.count }
        let tokensMost = target.model.description.queuedTokensMax
        guard requests.count == 1 || tokens <= tokensMost else {
            throw refusal(
                "whose prompts have \(tokens) tokens; the model's queue holds \(tokensMost). "
                    + "Ask for fewer at once")
        }
    }

    private func refusal(_ reason: String) -> ServingError {
        let asked =
            choicesPerPrompt > 1
            ? "'n' is \(choicesPerPrompt), for \(requests.count) answers"
            : "'prompt' has \(requests.count) prompts"
        return ServingError.invalidField(
            choicesPerPrompt > 1 ? "n" : "prompt", .wrongValue, "\(asked) \(reason)")
    }
}
