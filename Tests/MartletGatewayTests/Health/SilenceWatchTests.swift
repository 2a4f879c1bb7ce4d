import MartletCore
import Testing

@testable import MartletGateway

@Suite("Endpoints that hang")
struct SilenceWatchTests {
    private let a = EndpointID("a:1")
    private let b = EndpointID("b:1")

    /// Both have answered, in this time each; then one has requests without an answer.
    private func watch(latency: Duration, waiting: Int = 5) -> SilenceWatch {
        var watch = SilenceWatch()
        for id in [a, b] {
            for _ in 0..<50 {
                watch.didBegin(id, now: .seconds(1))
                watch.didEnd(id, answeredIn: latency, now: .seconds(1))
            }
        }
        for _ in 0..<waiting { watch.didBegin(a, now: .seconds(10)) }
        return watch
    }

    private func answer(_ watch: inout SilenceWatch, at time: Duration) {
        watch.didBegin(b, now: time)
        watch.didEnd(b, answeredIn: .milliseconds(1), now: time)
    }

    @Test func endpointThatAnswersNothing_isSilentWhereOthersAnswer() throws {
        var watch = watch(latency: .milliseconds(10))
        #expect(watch.silence(of: a, now: .seconds(13)) == nil)
        answer(&watch, at: .seconds(11))
        #expect(watch.silence(of: a, now: .seconds(11)) == nil)
        let found = try #require(watch.silence(of: a, now: .seconds(13)))
        #expect(found.requests == 5)
        #expect(found.time == .seconds(3))
        #expect(watch.silence(of: b, now: .seconds(13)) == nil)
    }

    @Test func endpointThatAnswersOne_isNotSilent() {
        var watch = watch(latency: .milliseconds(10), waiting: 6)
        answer(&watch, at: .seconds(12))
        watch.didEnd(a, answeredIn: .seconds(2), now: .seconds(12))
        #expect(watch.silence(of: a, now: .seconds(13)) == nil)
    }

    /// Else names of endpoints that come and go would be kept without end.
    @Test func endpointThatIsGone_isForgottenOnceItHasNoRequests() {
        var watch = watch(latency: .milliseconds(10), waiting: 2)
        watch.remove(b)
        #expect(watch.watchedCount == 1)
        watch.remove(a)
        watch.didEnd(a, answeredIn: nil, now: .seconds(11))
        #expect(watch.watchedCount == 1)
        watch.didEnd(a, answeredIn: nil, now: .seconds(11))
        #expect(watch.watchedCount == 0)
        // One that comes back meanwhile stays.
        for _ in 0..<2 { watch.didBegin(a, now: .seconds(12)) }
        watch.remove(a)
        watch.didBegin(a, now: .seconds(13))
        for _ in 0..<3 { watch.didEnd(a, answeredIn: .seconds(1), now: .seconds(14)) }
        #expect(watch.watchedCount == 1)
    }

    /// Where answers take long, silence tells nothing for longer.
    @Test func longAnswers_makeForPatience() {
        var watch = watch(latency: .seconds(4))
        answer(&watch, at: .seconds(25))
        #expect(watch.silence(of: a, now: .seconds(29)) == nil)
        #expect(watch.silence(of: a, now: .seconds(31)) != nil)
    }

    @Test func fewRequests_tellNothing() {
        var watch = watch(latency: .milliseconds(10), waiting: 4)
        answer(&watch, at: .seconds(12))
        #expect(watch.silence(of: a, now: .seconds(60)) == nil)
        // Nor does anything where nobody knows how long answers take.
        var new = SilenceWatch()
        for _ in 0..<9 { new.didBegin(a, now: .zero) }
        answer(&new, at: .seconds(1))
        #expect(new.silence(of: a, now: .seconds(60)) == nil)
    }
}
