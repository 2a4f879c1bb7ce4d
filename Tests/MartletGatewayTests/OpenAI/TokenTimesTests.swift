import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Times by tokens")
struct TokenTimesTests {
    private func plan(
        _ body: String?, attempt: Duration? = nil,
        _ change: (inout TrafficPolicy.Timeouts) -> Void
    ) -> ForwardingPlan {
        var settings = TrafficPolicy.Timeouts()
        settings.total = .seconds(10)
        change(&settings)
        var plan = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        TokenTimes(settings, attempt: attempt)
            .limit(&plan, for: body.flatMap { CompletionRequest(Array($0.utf8)) })
        return plan
    }

    @Test func wholeAnswer_getsMoreTimeTheMoreTokensItMayHave() {
        func change(_ settings: inout TrafficPolicy.Timeouts) {
            settings.perToken = .milliseconds(100)
            settings.perTry = .seconds(2)
            settings.firstToken = .seconds(1)
            settings.betweenTokens = .seconds(1)
        }
        let short = plan(#"{"model":"m","max_tokens":10}"#, change)
        #expect(short.timeout == .seconds(11) && short.attemptTimeout == .seconds(3))
        let long = plan(#"{"model":"m","max_tokens":1000}"#, change)
        #expect(long.timeout == .seconds(110) && long.attemptTimeout == .seconds(102))
        #expect(short.streamTimes == nil && long.streamTimes == nil)
    }

    @Test func stream_hasTimesForItsFirstTokenAndTheOthers() {
        let plan = plan(#"{"model":"m","stream":true,"max_tokens":100}"#) { settings in
            settings.perToken = .milliseconds(100)
            settings.perTry = .seconds(2)
            settings.firstToken = .seconds(1)
            settings.betweenTokens = .seconds(5)
        }
        #expect(plan.timeout == .seconds(20) && plan.attemptTimeout == .seconds(1))
        #expect(
            plan.streamTimes == StreamTimes(awaitsFirstEvent: true, betweenEvents: .seconds(5)))
    }

    @Test func withoutATimeForTheFirstToken_theTimeOfAnAttemptHolds() {
        let plan = plan(#"{"model":"m","stream":true}"#, attempt: .seconds(3)) { settings in
            settings.betweenTokens = .seconds(5)
        }
        #expect(plan.timeout == .seconds(10) && plan.attemptTimeout == .seconds(3))
        #expect(
            plan.streamTimes == StreamTimes(awaitsFirstEvent: false, betweenEvents: .seconds(5)))
    }

    @Test(arguments: [nil, "no JSON", #"{"model":"m"}"#])
    func bodyThatDoesNotSay_countsByWhatIsAssumed(body: String?) {
        let plan = plan(body) { settings in
            settings.perToken = .seconds(1)
            settings.tokensAssumed = 50
        }
        #expect(plan.timeout == .seconds(60) && plan.attemptTimeout == nil)
    }

    @Test func noRequest_hasMoreThanADay() {
        let plan = plan(#"{"model":"m","max_tokens":1e300}"#, attempt: .seconds(1)) { settings in
            settings.perToken = .seconds(3600)
        }
        #expect(plan.timeout == .seconds(86_400) && plan.attemptTimeout == .seconds(86_400))
    }
}
