internal import Dispatch
import MartletCore
internal import Synchronization

/// Finds out, of one language model in two engines, whether both say the same and which is faster
/// with one client, and with several at once.
///
/// An engine that is faster with several may be slower with one: how many are expected decides.
public struct LanguageModelTrial: Sendable {
    /// What was found.
    public struct Record: Sendable, Equatable {
        /// How fast both are with so many sequences at once.
        public struct Pace: Sendable, Equatable {
            /// Sequences at once.
            public var sequences: Int
            /// Tokens a second of the engine that is tried.
            public var other = 0.0
            /// Tokens a second of the reference.
            public var reference = 0.0

            /// Creates a pace.
            public init(sequences: Int, other: Double = 0, reference: Double = 0) {
                self.sequences = sequences
                self.other = other
                self.reference = reference
            }

            /// How many times as fast as the reference the other is; 0 without a reference.
            public var speedup: Double { reference > 0 ? other / reference : 0 }
        }

        /// Tokens before the first difference, of all that the reference chose; 0 to 1.
        public var agreement: Double
        /// The pace that decides.
        public var decisive: Pace
        /// The other one, for those who read of it.
        public var aside: Pace

        /// Creates a record.
        public init(agreement: Double, decisive: Pace, aside: Pace) {
            self.agreement = agreement
            self.decisive = decisive
            self.aside = aside
        }
    }

    /// An engine that computes otherwise may fall out with the reference over a close choice, and
    /// from there on says something else: half of the tokens come before that in what is right.
    public static let leastAgreement = 0.5

    /// Sequences that are expected at once where the operator says nothing.
    public static let usualConcurrency = 8
    /// More are not measured: what is so of these is so of more.
    static let concurrencyMax = 32
    static let promptTokens = 16
    static let newTokens = 16
    /// Rounds of the engines in turns, of which the best counts.
    static let rounds = 3
    private static let roundTimeout = Duration.seconds(60)

    /// Sequences at once whose pace decides.
    let decisive: Int
    /// Sequences at once whose pace is only told.
    let aside: Int

    /// Creates a trial.
    ///
    /// - Parameter expectedConcurrency: sequences that clients will have generated at once; 1 or
    ///   more.
    public init(expectedConcurrency: Int = LanguageModelTrial.usualConcurrency) {
        decisive = min(max(1, expectedConcurrency), LanguageModelTrial.concurrencyMax)
        aside = decisive == 1 ? LanguageModelTrial.usualConcurrency : 1
    }

    /// Compares what both say, and their paces; blocks.
    ///
    /// - Parameters:
    ///   - other: is tried.
    ///   - reference: is right.
    /// - Returns: what was found.
    /// - Throws: `ServingError` when either does not generate.
    public func run(
        _ other: any GenerativeModel, against reference: any GenerativeModel
    ) throws -> Record {
        let tokens = try reference.tokenize(
            LlamaSampleText.english, addsBeginning: false, parsesSpecial: false)
        var paces = [Record.Pace(sequences: decisive), Record.Pace(sequences: aside)]
        var (same, all, used) = (0, 0, 0)
        for _ in 0..<LanguageModelTrial.rounds {
            for index in paces.indices {
                let count = paces[index].sequences
                // Other prompts each time, that no cache has.
                let prompts = LanguageModelTrial.prompts(tokens, used..<used + count)
                used += count
                let expected = try generate(prompts, in: reference)
                let found = try generate(prompts, in: other)
                paces[index].reference = max(paces[index].reference, expected.pace)
                paces[index].other = max(paces[index].other, found.pace)
                for (expected, found) in zip(expected.texts, found.texts) {
                    all += expected.count
                    same += zip(expected, found).prefix { $0 == $1 }.count
                }
            }
        }
        return Record(
            agreement: all > 0 ? Double(same) / Double(all) : 0, decisive: paces[0],
            aside: paces[1])
    }

    private static func prompts(_ tokens: [TokenID], _ numbers: Range<Int>) -> [[TokenID]] {
        guard !tokens.isEmpty else { return [] }
        return numbers.map { number in
            let start = number * (promptTokens + 3)
            return (start..<start + promptTokens).map { tokens[$0 % tokens.count] }
        }
    }

    /// The likeliest text of each prompt, all at once, and tokens a second.
    private func generate(
        _ prompts: [[TokenID]], in model: any GenerativeModel
    ) throws -> (texts: [[TokenID]], pace: Double) {
        let collector = Collector(count: prompts.count)
        let start = ContinuousClock.now
        var ids: [GenerationID] = []
        defer { for id in ids { model.cancel(id) } }
        for (index, prompt) in prompts.enumerated() {
            var request = GenerationRequest(
                prompt: prompt, newTokensMax: LanguageModelTrial.newTokens)
            request.sampling.temperature = 0
            request.ignoresEndTokens = true
            request.usesPrefixCache = false
            request.isExemptFromQueueLimit = true
            do {
                ids.append(try model.submit(request) { collector.take($0, index) })
            } catch {
                throw error.error
            }
        }
        let texts = try collector.wait(for: LanguageModelTrial.roundTimeout)
        let seconds = (ContinuousClock.now - start).seconds
        let count = texts.reduce(0) { $0 + $1.count }
        return (texts, seconds > 0 ? Double(count) / seconds : 0)
    }
}

extension LanguageModelTrial.Record {
    /// What follows for the engine that was tried.
    ///
    /// - Parameters:
    ///   - engine: its name.
    ///   - name: the reference's.
    /// - Returns: the choice, which is either engine.
    public func verdict(engine: String, reference name: String) -> EngineChoice {
        let speedup = decisive.speedup
        var choice = EngineChoice(
            engine: name, reason: .wrong, detail: "", speedup: speedup, error: 1 - agreement)
        if agreement < LanguageModelTrial.leastAgreement {
            choice.detail = "\(engine) says something else: \(figures)"
        } else if speedup < TrialRecord.leastSpeedup {
            choice.reason = .slower
            choice.detail = "\(engine) is right and not faster: \(figures)"
        } else {
            choice.engine = engine
            choice.reason = .faster
            choice.detail = "\(engine) against \(name): \(figures)"
        }
        return choice
    }
}

extension LanguageModelTrial.Record {
    private var figures: String {
        "\(decisive.text) (\(aside.text)), \(TrialRecord.text(agreement * 100)) % of "
            + "the tokens alike"
    }

    /// What follows where both may be kept: `nil` where one of them is as fast in any case, or they
    /// say different things.
    ///
    /// - Parameters:
    ///   - engine: the name of the engine that was tried.
    ///   - name: the reference's.
    /// - Returns: the choice of both.
    public func pairing(engine: String, reference name: String) -> EngineChoice? {
        let (alone, many) = decisive.sequences == 1 ? (decisive, aside) : (aside, decisive)
        guard agreement >= LanguageModelTrial.leastAgreement, alone.speedup < 1,
            many.speedup >= TrialRecord.leastSpeedup
        else { return nil }
        return EngineChoice(
            engine: "\(name)+\(engine)", reason: .both,
            detail: "\(name) for one sequence, \(engine) for several: \(figures)",
            speedup: many.speedup, error: 1 - agreement)
    }
}

extension LanguageModelTrial.Record.Pace {
    fileprivate var text: String {
        "\(TrialRecord.text(speedup)) x with \(sequences) sequence\(sequences == 1 ? "" : "s")"
    }
}

/// Takes the texts of several sequences.
private final class Collector: Sendable {
    private struct State {
        var texts: [[TokenID]]
        var unfinished: Int
        var error: ServingError?
    }

    private let state: Mutex<State>
    private let isOver = DispatchSemaphore(value: 0)

    init(count: Int) {
        state = Mutex(State(texts: Array(repeating: [], count: count), unfinished: count))
        if count == 0 { isOver.signal() }
    }

    func take(_ event: GenerationEvent, _ index: Int) {
        let isLast = state.withLock { state in
            switch event {
            case .started: return false
            case .token(let token):
                state.texts[index].append(token.id)
                return false
            case .failed(let error, _): state.error = state.error ?? error
            case .finished: break
            }
            state.unfinished -= 1
            return state.unfinished == 0
        }
        if isLast { isOver.signal() }
    }

    func wait(for timeout: Duration) throws -> [[TokenID]] {
        guard isOver.wait(timeout: .now() + timeout.seconds) == .success else {
            throw ServingError(
                .deadlineExceeded,
                "the trial took longer than \(timeout.components.seconds) seconds")
        }
        return try state.withLock { state in
            if let error = state.error { throw error }
            return state.texts
        }
    }
}
