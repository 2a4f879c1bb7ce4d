import MartletCore
import MartletEngines

extension GenerationPlan {
    /// Refuses more answers than the model's queue could ever hold: to try again is of no use.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`).
    func checkRoom() throws {
        let most = target.model.description.sequencesMax
        guard requests.count > most else { return }
        let asked =
            choicesPerPrompt > 1
            ? "'n' is \(choicesPerPrompt), for \(requests.count) answers"
            : "'prompt' has \(requests.count) prompts"
        throw ServingError.invalidField(
            choicesPerPrompt > 1 ? "n" : "prompt", .wrongValue,
            "\(asked) in all; the model's queue holds \(most). Ask for fewer at once, or raise "
                + "--max-waiting-sequences")
    }
}
