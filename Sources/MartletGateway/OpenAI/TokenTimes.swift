import MartletTransport

/// How long an answer of a language model may take, by its tokens.
///
/// Each token takes a time of its own, so that one limit for all answers is too long for short ones,
/// or too short for long ones.
struct TokenTimes: Sendable, Equatable {
    /// The most tokens that a request is believed to want: more than the context of usual models.
    static let tokensMax = 131_072

    /// The longest that any request may take.
    private static let longest = Duration.seconds(86_400)

    private let settings: TrafficPolicy.Timeouts
    private let attempt: Duration?

    /// The times that a route says.
    ///
    /// - Parameters:
    ///   - settings: what it says.
    ///   - attempt: the longest that an attempt may take where it says nothing of that.
    init(_ settings: TrafficPolicy.Timeouts, attempt: Duration?) {
        self.settings = settings
        self.attempt = settings.perTry ?? attempt
    }

    /// Limits the time of a request.
    ///
    /// - Parameters:
    ///   - plan: how it is forwarded.
    ///   - request: what its body says; nil where that could not be read.
    func limit(_ plan: inout ForwardingPlan, for request: CompletionRequest?) {
        let tokens = min(request?.tokens ?? settings.tokensAssumed, TokenTimes.tokensMax)
        let allowance = (settings.perToken ?? .zero) * tokens
        plan.timeout = min(settings.total + allowance, TokenTimes.longest)
        guard request?.isStream ?? false else {
            plan.attemptTimeout = attempt.map { min($0 + allowance, TokenTimes.longest) }
            return
        }
        plan.attemptTimeout = settings.firstToken ?? attempt
        plan.streamTimes = StreamTimes(
            awaitsFirstEvent: settings.firstToken != nil, betweenEvents: settings.betweenTokens)
    }
}
