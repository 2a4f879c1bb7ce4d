/// How long a decode loop has been at one step.
///
/// Nothing else tells of a loop that hangs: its thread is in the engine's code, and requests wait.
/// Times are since an origin of the caller's choice, the same in all calls.
struct StepWatch: Sendable {
    private var begun: Duration?

    /// The loop goes on: the step before, if there was one, is over and another begins.
    mutating func didBegin(now: Duration) { begun = now }

    /// The loop has nothing to do.
    mutating func didRest() { begun = nil }

    /// How long the step that is under way has taken; zero where none is.
    func age(now: Duration) -> Duration {
        begun.map { max(.zero, now - $0) } ?? .zero
    }
}
