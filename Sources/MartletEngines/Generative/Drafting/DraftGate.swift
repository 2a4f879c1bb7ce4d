/// Finds out whether a draft model makes sequences faster, and uses it only while it does.
///
/// Guesses cost the time of the draft model and that of their check, and give only what is right of
/// them. Which weighs more depends on both models, the machine, the texts and how many sequences
/// run. So both ways take turns for a few steps, and the faster one is kept for many. Time is that
/// of whole steps with what is between them, so that nothing is left out.
struct DraftGate: Sendable, Equatable {
    /// Steps for which each way is tried.
    var trialSteps = 16

    /// Steps for which the faster way is kept.
    var termSteps = 512

    /// How many times as fast guesses must make it to be worth their memory traffic.
    var gainMin = 1.03

    private enum Phase: Sendable, Equatable {
        case tryingDrafts
        case tryingNone
        case kept(usesDrafts: Bool)
    }

    private struct Pace: Sendable, Equatable {
        var seconds = 0.0
        var tokens = 0.0
    }

    private var phase = Phase.tryingDrafts
    private var steps = 0
    private var withDrafts = Pace()
    private var without = Pace()

    /// Whether the draft model is to guess now.
    var usesDrafts: Bool {
        switch phase {
        case .tryingDrafts: true
        case .tryingNone: false
        case .kept(let usesDrafts): usesDrafts
        }
    }

    /// A step has ended in which all sequences generated.
    ///
    /// - Parameters:
    ///   - seconds: since the step before ended.
    ///   - tokens: that a sequence got, on average.
    mutating func didStep(seconds: Double, tokens: Double) {
        steps += 1
        switch phase {
        case .tryingDrafts:
            withDrafts.seconds += seconds
            withDrafts.tokens += tokens
            if steps >= trialSteps { enter(.tryingNone) }
        case .tryingNone:
            without.seconds += seconds
            without.tokens += tokens
            if steps >= trialSteps { decide() }
        case .kept:
            guard steps >= termSteps else { return }
            (withDrafts, without) = (Pace(), Pace())
            enter(.tryingDrafts)
        }
    }

    private mutating func decide() {
        let isFaster =
            withDrafts.tokens * without.seconds > without.tokens * withDrafts.seconds * gainMin
        enter(.kept(usesDrafts: isFaster))
    }

    private mutating func enter(_ next: Phase) {
        phase = next
        steps = 0
    }
}
