import MartletCore
import MartletTransport
import Synchronization
import Testing

@testable import MartletGateway

/// Keeps what gateways share, in place of Redis, which would also forget it in time.
private final class FakeStore: Sendable {
    private struct State {
        var values: [[UInt8]: [UInt8]] = [:]
        var now = Duration.seconds(1_700_000_000)
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.values.count } }

    func pass(_ time: Duration) { state.withLock { $0.now += time } }

    private func take(_ command: RedisCommand) -> RedisReply {
        state.withLock { state in
            let arguments = command.arguments
            guard arguments.count > 2 else {
                return state.values[arguments[1]].map { .bytes($0) } ?? .null
            }
            state.values[arguments[1]] = arguments[2]
            return .status("OK")
        }
    }

    /// What one gateway shares by it.
    func shared() -> SharedAnswers {
        SharedAnswers(
            clock: { self.state.withLock { $0.now } },
            send: { command, completion in completion(.success(self.take(command))) })
    }
}

@Suite("Answers that gateways share")
struct SharedAnswersTests {
    private static let text = """
        endpoints: [a:1]
        routes: [{name: r, cache: true}]
        cache: {ttl_seconds_min: 60, ttl_seconds_max: 60}
        """
    private let store = FakeStore()

    private func gateway() throws -> CachedGateway {
        let gateway = try CachedGateway(Self.text, shared: store.shared())
        serve([1], gateway)
        return gateway
    }

    private func serve(_ versions: [Int], _ gateway: CachedGateway) {
        let states = versions.map { ModelVersionStatus(version: "\($0)", state: "AVAILABLE") }
        gateway.policy.current.cache?.note(
            [ModelStatus(name: "m", versions: states)],
            at: .init(pool: "default", endpoint: EndpointID("a:1")))
    }

    @Test func answerOfOneGateway_isFoundByAnother() throws {
        let (one, other) = (try gateway(), try gateway())
        try one.answer(one.ask(), "a")
        #expect(store.count == 1)
        #expect(other.ask().text == "a")
        #expect(other.ask(body: #"{"instances": [2]}"#).plan != nil)
    }

    // MARK: Versions

    @Test func answerThatComesBehindANewVersion_isNotShared() throws {
        let gateway = try gateway()
        let asked = gateway.ask()
        serve([2], gateway)
        try gateway.answer(asked, "the first's")
        #expect(store.count == 0)
        #expect(gateway.ask().plan != nil)
    }

    /// Which of them has answered cannot be told.
    @Test func answerDuringWhichAVersionCameAndWent_isNotShared() throws {
        let gateway = try gateway()
        let asked = gateway.ask()
        serve([2], gateway)
        serve([1], gateway)
        try gateway.answer(asked, "whose?")
        #expect(store.count == 0)
    }

    @Test func whoLeadsInPlaceOfAnother_sharesUnderWhatWasServedWhenItCame() throws {
        let gateway = try gateway()
        let (leader, waiter) = (gateway.ask(), gateway.ask())
        try gateway.answer(leader, nil)
        try gateway.answer(waiter, "a")
        #expect(store.count == 1)
        #expect(try self.gateway().ask().text == "a")
    }

    // MARK: Times

    @Test func ageGoesOn_inTheMemoryOfWhoFindsIt() throws {
        let (one, other) = (try gateway(), try gateway())
        try one.answer(one.ask(), "a")
        store.pass(.seconds(40))
        #expect(other.ask().answer?.headers.first("age") == "40")
        // It is in memory now, and no younger for it.
        let again = try #require(other.ask().answer?.headers.first("age").flatMap { Int($0) })
        #expect((40..<60).contains(again))
    }

    @Test func answerWhoseTimeIsOver_isNotFound() throws {
        let (one, other) = (try gateway(), try gateway())
        try one.answer(one.ask(), "a")
        store.pass(.seconds(60))
        #expect(other.ask().plan != nil)
    }

    /// Its age is not known: it might be kept for twice its time.
    @Test(arguments: [(Duration.milliseconds(1000), true), (.milliseconds(1001), false)])
    func answerOfTheFuture_isTakenOnlyIfClocksNearlyAgree(ahead: Duration, isTaken: Bool) throws {
        let (one, other) = (try gateway(), try gateway())
        try one.answer(one.ask(), "a")
        store.pass(.zero - ahead)
        let found = other.ask()
        #expect((found.text == "a") == isTaken)
        if isTaken { #expect(found.answer?.headers.first("age") == "0") }
    }
}

@Suite("Answers found elsewhere, for those who wait")
struct FoundAnswersTests {
    private let cache = AnswerCache(
        TrafficPolicy.Cache(), shared: SharedAnswers(clock: { .zero }, send: { _, _ in }))

    @Test func whoWantsAYoungerOne_asksANode() throws {
        let key = CacheKey.predicting("x")
        guard case .miss(let ticket?) = cache.lookup(key, ageMax: nil, completion: { _ in }) else {
            Issue.record("there is no leader")
            return
        }
        let outcomes = Mutex<[String]>([])
        for (name, ageMax) in [("any", nil), ("young", Duration.seconds(3)), ("old", .seconds(9))] {
            _ = cache.lookup(key, ageMax: ageMax) { outcome in
                switch outcome {
                case .answer(_, let age): outcomes.withLock { $0.append("\(name) \(age ?? .zero)") }
                case .lead: outcomes.withLock { $0.append("\(name) leads") }
                }
            }
        }
        cache.found(
            ticket,
            SharedAnswers.Found(
                answer: HTTPResponse(status: 200, headers: [:], body: []), age: .seconds(3),
                left: .seconds(60)))
        #expect(
            outcomes.withLock { $0 } == [
                "any \(Duration.seconds(3))", "young leads", "old \(Duration.seconds(3))",
            ])
    }
}
