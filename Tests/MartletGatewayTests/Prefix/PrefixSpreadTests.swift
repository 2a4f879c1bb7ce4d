import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")
private let d = EndpointID("d:1")

@Suite("Prefix-aware balancing of prompts with a beginning in common")
struct PrefixSpreadTests {
    /// Conversations of which all have a beginning in common, eight at a time.
    private struct Talks {
        /// Blocks that are everybody's.
        var common: UInt64
        /// Blocks of its own that a conversation begins with, and that each turn adds.
        var own: UInt64
        var turn: UInt64 = 2
        var count: UInt64 = 64

        func prompt(_ talk: UInt64, turn number: Int) -> PickRequest {
            let name = (talk + 1) << 32
            let blocks = own + turn * UInt64(number)
            let hashes = Array(0..<common) + (0..<blocks).map { name | $0 }
            return PickRequest(prompt: PromptBlocks(hashes: hashes))
        }
    }

    /// What came of it.
    private struct Outcome {
        /// Of the first turns, and of all.
        var firstTurns: [EndpointID: Int] = [:]
        var all: [EndpointID: Int] = [:]
        /// Of the later turns those at the endpoint of the one before.
        var kept = 0
        var later = 0

        /// The greatest part that an endpoint has.
        static func greatestShare(_ tally: [EndpointID: Int]) -> Double {
            Double(tally.values.max() ?? 0) / Double(max(tally.values.reduce(0, +), 1))
        }
    }

    private func balancer(
        _ ids: [EndpointID], seed: UInt64 = 0, weight: Double = 1
    ) -> PrefixAware {
        var balancer = PrefixAware(seed: seed)
        for id in ids {
            balancer.addHealthy(id)
            balancer.setStatedWeight(id, weight, now: .zero)
        }
        return balancer
    }

    /// Runs so many turns of all, each in an order of its own.
    private func outcome(
        _ talks: Talks, turns: Int, at ids: [EndpointID], seed: UInt64
    ) -> Outcome {
        var balancer = balancer(ids, seed: seed)
        var random = SeededGenerator(seed: seed)
        var outcome = Outcome()
        var running: [EndpointID] = []
        var homes: [UInt64: EndpointID] = [:]
        var now = Duration.zero
        for turn in 0..<turns {
            for talk in (0..<talks.count).shuffled(using: &random) {
                if running.count == 8 { balancer.end(running.removeFirst(), now: now) }
                now += .milliseconds(100)
                let prompt = talks.prompt(talk, turn: turn)
                guard let id = balancer.beginOnly(prompt, now: now) else { continue }
                running.append(id)
                outcome.all[id, default: 0] += 1
                if turn == 0 { outcome.firstTurns[id, default: 0] += 1 }
                if let home = homes.updateValue(id, forKey: talk) {
                    outcome.later += 1
                    outcome.kept += home == id ? 1 : 0
                }
            }
        }
        return outcome
    }

    @Test(arguments: [8, 40, 300] as [UInt64], [0, 1, 10] as [UInt64])
    func coldStart_withABeginningOfAll_isSpreadEvenly(common: UInt64, own: UInt64) {
        for seed in SimulationSeeds.first(10) {
            let talks = Talks(common: common, own: own)
            let two = outcome(talks, turns: 4, at: [a, b], seed: seed)
            let four = outcome(talks, turns: 1, at: [a, b, c, d], seed: seed)
            let replay = SimulationSeeds.replay(seed)
            #expect(Outcome.greatestShare(two.firstTurns) <= 0.6, "\(two.firstTurns), \(replay)")
            #expect(Outcome.greatestShare(two.all) <= 0.6, "\(two.all), \(replay)")
            #expect(Outcome.greatestShare(four.firstTurns) <= 0.35, "\(four), \(replay)")
        }
    }

    @Test(arguments: [8, 40] as [UInt64])
    func laterTurns_stayWhereTheirHistoryIs(common: UInt64) {
        for seed in SimulationSeeds.first(10) {
            for ids in [[a, b], [a, b, c, d]] {
                let talks = Talks(common: common, own: 10)
                let found = outcome(talks, turns: 4, at: ids, seed: seed)
                let kept = Double(found.kept) / Double(found.later)
                #expect(found.later == 192)
                #expect(kept >= 0.92, "\(kept) with \(ids.count), \(SimulationSeeds.replay(seed))")
            }
        }
    }

    @Test func beginningOfMany_countsLess_andOfNobodyElse_inFull() throws {
        var balancer = balancer([a, b])
        let talks = Talks(common: 40, own: 4)
        let first = try balancer.served(talks.prompt(0, turn: 0))
        // Nobody has joined in yet, so the beginning may be of this one alone.
        #expect(balancer.serve(talks.prompt(1, turn: 0)) == first)
        for talk in 2...9 as ClosedRange<UInt64> { balancer.serve(talks.prompt(talk, turn: 0)) }
        #expect(balancer.blocksNoted(of: a) > 40 && balancer.blocksNoted(of: b) > 40)
        #expect(balancer.serve(talks.prompt(0, turn: 1)) == first)
    }

    /// What endpoints carry is said relative to each other, in any unit.
    @Test(arguments: [0.001, 1, 1000] as [Double])
    func firstTurnsAtOnce_areSpread_whateverUnitWeightsHave(weight: Double) {
        for common in [8, 12, 40, 300] as [UInt64] {
            for seed in SimulationSeeds.first(10) {
                var balancer = balancer([a, b], seed: seed, weight: weight)
                let talks = Talks(common: common, own: 1)
                var tally: [EndpointID: Int] = [:]
                for talk in 0..<8 as Range<UInt64> {
                    guard let id = balancer.beginOnly(talks.prompt(talk, turn: 0)) else { continue }
                    tally[id, default: 0] += 1
                }
                let replay = SimulationSeeds.replay(seed)
                #expect((3...5).contains(tally[a] ?? 0), "\(tally), \(common) blocks, \(replay)")
            }
        }
    }

    @Test func fewRequests_areNotAllAtOneEndpoint_whereAnotherIsIdle() throws {
        var balancer = balancer([a, b])
        // So short that to compute it anew takes less than to wait for the others.
        let prompt = Talks(common: 0, own: 1).prompt(0, turn: 0)
        let first = try balancer.served(prompt)
        balancer.begin(1, at: first)
        let second = balancer.pick(for: prompt, excluding: [], now: .zero)
        #expect(second == first)
        balancer.begin(2, at: first)
        let third = balancer.pick(for: prompt, excluding: [], now: .zero)
        #expect(third == (first == a ? b : a))
    }

    @Test func endpointThatIsFarBusier_isEscaped() throws {
        var balancer = balancer([a, b])
        let talks = Talks(common: 0, own: 100)
        let first = try balancer.served(talks.prompt(0, turn: 0))
        // What runs there had nothing to compute, so that it costs little. Allowed are one and a
        // half times the mean, which is half of all with this one, rounded up, and two.
        balancer.begin(10, at: first)
        let pick = balancer.pick(for: talks.prompt(0, turn: 1), excluding: [], now: .seconds(1))
        #expect(pick == first)
        balancer.begin(1, at: first)
        let escape = balancer.pick(for: talks.prompt(0, turn: 1), excluding: [], now: .seconds(1))
        #expect(escape == (first == a ? b : a))
    }

    @Test func endpointThatCarriesMore_mayHaveMoreInFlight() throws {
        for weight in [1.0, 3] {
            var balancer = balancer([a, b])
            balancer.setStatedWeight(a, weight, now: .zero)
            let prompt = Talks(common: 0, own: 100).prompt(0, turn: 0)
            let first = balancer.serve(prompt, excluding: [b])
            #expect(first == a)
            balancer.begin(30, at: a)
            let pick = balancer.pick(for: prompt, excluding: [], now: .seconds(1))
            #expect(pick == (weight > 1 ? a : b))
        }
    }
}
