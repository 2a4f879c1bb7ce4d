import MartletCore

@testable import MartletEngines

extension SchedulerSettings {
    /// What is wrong with the refusal of a request, which came when so many waited; `nil` where it
    /// is as promised.
    func complaint(
        of refusal: GenerationRefusal, of request: GenerationRequest, deadline: Duration?,
        now: Duration, waiting: Int
    ) -> String? {
        switch refusal.error.code {
        case .invalidArgument:
            let isLong = request.prompt.count > contextTokensMax
            return isLong || request.prompt.isEmpty ? nil : "refused: \(refusal.error)"
        case .deadlineExceeded:
            return deadline.map { $0 <= now } ?? false ? nil : "refused before its deadline"
        case .resourceExhausted:
            guard waiting >= waitingMax else { return "refused when \(waiting) wait" }
            let seconds = refusal.retryAfter?.seconds ?? 0
            return (1...60).contains(seconds) ? nil : "try again after \(seconds) s"
        default: return "refused: \(refusal.error)"
        }
    }
}
