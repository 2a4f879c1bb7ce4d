import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Prefix-aware balancing")
struct PrefixAwareTests {
    /// A prompt of so many blocks that are nobody else's.
    private func prompt(_ name: UInt64, _ blocks: UInt64 = 40, adapter: UInt64? = nil)
        -> PickRequest
    {
        PickRequest(
            prompt: PromptBlocks(hashes: (0..<blocks).map { name << 32 | $0 }, adapterKey: adapter))
    }

    private func balancer(
        _ ids: [EndpointID] = [a, b, c], seed: UInt64 = 0,
        prefix: PrefixConfiguration = PrefixConfiguration()
    ) -> PrefixAware {
        var balancer = PrefixAware(
            configuration: BalancingConfiguration(prefix: prefix), seed: seed)
        for id in ids { balancer.addHealthy(id) }
        return balancer
    }

    @Test func conversation_staysWhereItBegan() throws {
        for seed in SimulationSeeds.first(20) {
            var balancer = balancer(seed: seed)
            let first = try balancer.served(prompt(1))
            for turn in 2...10 as ClosedRange<UInt64> {
                #expect(balancer.serve(prompt(1, 40 * turn)) == first)
            }
        }
    }

    @Test func conversationsWithoutAPast_goToWhoWasGivenTheLeast() {
        for seed in SimulationSeeds.first(20) {
            var balancer = balancer(seed: seed)
            let picks = (1...6).compactMap { balancer.serve(prompt($0)) }
            #expect(Set(picks.prefix(3)).count == 3)
            #expect(Set(picks.suffix(3)).count == 3)
        }
    }

    @Test func shortMatchAtABusyEndpoint_isNotWorthIt() throws {
        var balancer = balancer([a, b])
        let first = try balancer.served(prompt(1, 4))
        let other = first == a ? b : a
        #expect(balancer.pick(for: prompt(1, 4), excluding: [], now: .zero) == first)
        // Two hundred blocks in flight at a tenth are twenty, which is more than four.
        balancer.beginOnly(prompt(2, 200), excluding: [other])
        #expect(balancer.pick(for: prompt(1, 4), excluding: [], now: .zero) == other)
    }

    @Test func workInFlight_isGoneWhenNothingRuns() throws {
        var balancer = balancer([a, b], prefix: PrefixConfiguration(recentWeight: 0))
        let first = try balancer.served(prompt(1, 4))
        let other = first == a ? b : a
        balancer.beginOnly(prompt(2, 200), excluding: [other])
        balancer.beginOnly(prompt(3, 200), excluding: [other])
        for _ in 1...2 {
            #expect(balancer.pick(for: prompt(1, 4), excluding: [], now: .zero) == other)
            balancer.end(first)
        }
        #expect(balancer.pick(for: prompt(1, 4), excluding: [], now: .zero) == first)
    }

    @Test func popularPrompt_neverLiftsAnEndpointAboveItsBound() {
        let prefix = PrefixConfiguration(
            inFlightWeight: 0, recentWeight: 0, loadFactor: 1.25, slackTokens: 0)
        var balancer = balancer(prefix: prefix)
        var given: [EndpointID: Double] = [:]
        var excess = -Double.infinity
        for _ in 1...300 {
            guard let id = balancer.beginOnly(prompt(1)) else { continue }
            given[id, default: 0] += 41
            let mean = given.values.reduce(0, +) / 3
            // The first ones cannot but be above it.
            if mean > 1000 { excess = max(excess, (given[id] ?? 0) - 1.25 * mean) }
        }
        #expect(excess <= 1e-6)
        #expect(given.count == 3)
    }

    /// As where requests stay near, or only some have their model: the bound is theirs.
    @Test func bound_isThatOfThoseAPromptMayGoTo() {
        let prefix = PrefixConfiguration(inFlightWeight: 0, recentWeight: 0, requestTokens: 0)
        let ids = (0..<10).map { EndpointID("node-\($0):1") }
        var balancer = balancer(ids, prefix: prefix)
        let far = Set(ids.dropFirst(2))
        #expect(balancer.serve(prompt(1), excluding: far.union([ids[1]])) == ids[0])
        #expect(balancer.serve(prompt(1), excluding: far) == ids[0])
        // Three quarters of all that two have, and two more, are 59.
        balancer.begin(60, at: ids[0])
        balancer.begin(15, at: ids[1])
        #expect(balancer.pick(for: prompt(1), excluding: far, now: .zero) == ids[1])
    }

    @Test func slack_keepsFewConversationsTogether() throws {
        var balancer = balancer([a, b])
        let first = try balancer.served(prompt(1))
        balancer.begin(1, at: first)
        // 41 blocks of 64 tokens at a time, and 8192 tokens may be ahead.
        for _ in 1...3 { #expect(balancer.serve(prompt(1)) == first) }
        // What was given fades, so it stays so.
        for minute in 1...60 {
            #expect(balancer.serve(prompt(1), now: .seconds(60 * minute)) == first)
        }
    }

    @Test func endpointFoundUnhealthy_hasNothingWhenItIsBack() throws {
        var balancer = balancer([a, b])
        let first = try balancer.served(prompt(1))
        balancer.setEjected(first, true, now: .zero)
        #expect(balancer.blocksNoted(of: first) == 40)
        balancer.setEjected(first, false, now: .zero)
        #expect(balancer.pick(for: prompt(1), excluding: [], now: .zero) == first)
        balancer.setHealthy(first, false, now: .zero)
        balancer.setHealthy(first, true, now: .zero)
        #expect(balancer.blocksNoted(of: first) == 0)
        // Now the other was given less.
        #expect(balancer.pick(for: prompt(1), excluding: [], now: .zero) != first)
    }

    @Test func endpointThatCameBack_hasNothingOfItsFormerSelfOrOthers() {
        var balancer = balancer()
        for name in 1...9 as ClosedRange<UInt64> { balancer.serve(prompt(name)) }
        balancer.remove(a)
        balancer.remove(b)
        balancer.addHealthy(b, a)
        #expect(balancer.blocksNoted(of: a) == 0)
        #expect(balancer.blocksNoted(of: b) == 0)
        #expect(balancer.blocksNoted(of: c) > 0)
    }

    @Test func cacheOfSoManyTokens_isNotedInBlocks() {
        var balancer = balancer([a])
        balancer.setCacheTokens(a, 640, now: .zero)
        balancer.serve(prompt(1))
        #expect(balancer.blocksNoted(of: a) == 10)
        balancer.setCacheTokens(a, -5, now: .zero)
        #expect(balancer.blocksNoted(of: a) == 10)
        balancer.didRestart(a, now: .zero)
        #expect(balancer.blocksNoted(of: a) == 0)
    }

    @Test func adapter_drawsItsRequestsTogether() throws {
        for seed in SimulationSeeds.first(20) {
            var balancer = balancer(seed: seed)
            let first = try balancer.served(prompt(1, 4, adapter: 7))
            let others = (2...4).compactMap { balancer.serve(prompt($0, 4, adapter: 7)) }
            #expect(others == [first, first, first])
            #expect(balancer.serve(prompt(5, 4, adapter: 8)) != first)
        }
    }

    @Test func heavierEndpoint_isGivenMore() {
        var balancer = balancer([a, b])
        balancer.setStatedWeight(b, 3, now: .zero)
        var tally: [EndpointID: Int] = [:]
        for name in 1...400 as ClosedRange<UInt64> {
            if let id = balancer.serve(prompt(name)) { tally[id, default: 0] += 1 }
        }
        #expect((90...110).contains(tally[a] ?? 0), "\(tally)")
    }

    @Test func endpointThatFails_losesItsPromptsForAWhile() throws {
        var balancer = balancer()
        let first = try balancer.served(prompt(1))
        balancer.fail(first, now: .zero)
        #expect(balancer.pick(for: prompt(1), excluding: [], now: .seconds(1)) != first)
        #expect(balancer.pick(for: prompt(1), excluding: [], now: .seconds(300)) == first)
    }

    @Test func picks_withoutAPrompt_areAtTheLessLoadedOfTwo() {
        var balancer = balancer([a, b])
        balancer.begin(1, at: a)
        #expect(balancer.tally(50) == [b: 50])
        balancer.begin(1, at: b)
        let tally = balancer.tally(1000)
        #expect((400...600).contains(tally[a] ?? 0), "\(tally)")
    }

    @Test func pickThatNeverBegan_isNotNoted() throws {
        var balancer = balancer([a, b])
        let pick = balancer.pick(for: prompt(1), excluding: [], now: .zero)
        let first = try #require(pick)
        #expect(balancer.pick(now: .zero) != nil)
        balancer.begin(1, at: first)
        #expect(balancer.blocksNoted(of: first) == 0)
    }

    @Test func oddWeights_leaveAPick() {
        for weight in [1e-300, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude] {
            var balancer = balancer([a, b], prefix: PrefixConfiguration(recentWeight: 0))
            balancer.setStatedWeight(a, weight, now: .zero)
            for name in 1...20 as ClosedRange<UInt64> {
                #expect(balancer.serve(prompt(name % 4)) != nil)
                #expect(balancer.serve(prompt(name % 4), excluding: [b]) == a)
            }
        }
    }

    /// A short prompt that is nobody else's, of a session that a field or its body names.
    private func turn(_ name: UInt64, header: UInt64? = nil, body: UInt64? = nil) -> PickRequest {
        PickRequest(
            affinityKey: header,
            prompt: PromptBlocks(
                hashes: (0..<4).map { name << 32 | $0 }, sessionKey: body))
    }

    @Test func session_staysTogetherThoughItsPromptsDiffer() throws {
        for seed in SimulationSeeds.first(20) {
            var balancer = balancer(seed: seed)
            let first = try balancer.served(turn(1, header: 7))
            let others = (2...4).compactMap { balancer.serve(turn($0, header: 7)) }
            #expect(others == [first, first, first])
            // The field goes before the body.
            #expect(balancer.serve(turn(5, header: 7, body: 8)) == first)
            let second = try balancer.served(turn(6, body: 9))
            #expect(second != first)
            #expect(balancer.serve(turn(7, body: 9)) == second)
        }
    }

    @Test func session_isWhereItWasLast_andNowhereElse() throws {
        for seed in SimulationSeeds.first(20) {
            var balancer = balancer([a, b], seed: seed)
            let first = try balancer.served(turn(1, body: 7))
            let other = first == a ? b : a
            let away = balancer.serve(turn(2, body: 7), excluding: [first])
            #expect(away == other)
            #expect(balancer.serve(turn(3, body: 7)) == other)
            balancer.setHealthy(other, false, now: .zero)
            balancer.setHealthy(other, true, now: .zero)
            #expect(balancer.serve(turn(4, body: 7)) == first)
        }
    }

    @Test func figuresOutOfRange_areBroughtIntoIt() {
        let odd = PrefixConfiguration(
            blockBytes: 0, blocksMax: -1, cacheTokens: .min, blocksNotedMax: .max,
            commonWeight: .nan, inFlightWeight: .nan, recentWeight: -1, recentTime: .zero,
            loadFactor: .infinity, slackTokens: .max, slackRequests: -1,
            requestTokens: -1, adapterTokens: -1, adaptersMax: 0, sessionTokens: -1, sessionsMax: 0)
        #expect([odd.sessionTokens, odd.sessionsMax] == [0, 1])
        #expect([odd.blockBytes, odd.blocksMax, odd.cacheTokens] == [16, 1, 1])
        #expect([odd.inFlightWeight, odd.recentWeight, odd.loadFactor] == [0, 0, 1e6])
        #expect([odd.blocksNotedMax, odd.adapterTokens, odd.adaptersMax] == [1 << 24, 0, 1])
        #expect(odd.slackTokens == 1 << 40)
        #expect(odd.commonWeight == 0 && odd.slackRequests == 0)
        #expect(odd.requestTokens == 0)
        #expect(odd.capacity(ofTokens: .max) == 1 << 24)
    }
}

extension PrefixAware {
    /// Picks for a request, and runs it to its end at once.
    @discardableResult
    mutating func serve(
        _ request: PickRequest, excluding excluded: Set<EndpointID> = [], now: Duration = .zero
    ) -> EndpointID? {
        let id = beginOnly(request, excluding: excluded, now: now)
        if let id { end(id, now: now) }
        return id
    }

    /// The same, where there must be a pick.
    mutating func served(_ request: PickRequest) throws -> EndpointID {
        let id = serve(request)
        return try #require(id)
    }

    /// Picks for a request, and begins it.
    @discardableResult
    mutating func beginOnly(
        _ request: PickRequest, excluding excluded: Set<EndpointID> = [], now: Duration = .zero
    ) -> EndpointID? {
        guard let id = pick(for: request, excluding: excluded, now: now) else { return nil }
        didBegin(id, now: now)
        return id
    }

    mutating func end(_ id: EndpointID, now: Duration = .zero) {
        didEnd(id, BalancedAttempt(latency: .seconds(1), hasFailed: false), now: now)
    }
}
