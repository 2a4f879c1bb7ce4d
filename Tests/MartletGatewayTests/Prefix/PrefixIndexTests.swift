import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("The index of prefixes")
struct PrefixIndexTests {
    @Test func matches_countTheBlocksInFrontThatEachHas() {
        var index = PrefixIndex()
        let (a, b, c) = (holder(&index), holder(&index), holder(&index))
        index.record([1, 2, 3], at: a)
        index.record([1, 2, 4], at: b)
        #expect(index.matches([1, 2, 3, 5]) == [3, 2, 0])
        #expect(index.matches([1, 2, 4]) == [2, 3, 0])
        #expect(index.matches([9, 1]) == [0, 0, 0])
        #expect(index.matches([]) == [0, 0, 0])
        #expect([a, b, c] == [0, 1, 2])
    }

    @Test func holderAtItsCapacity_forgetsTheEndsOfWhatWasUsedLeastRecently() {
        var index = PrefixIndex()
        let a = index.addHolder(capacity: 6)
        index.record([1, 2, 3], at: a)
        index.record([11, 12, 13], at: a)
        index.record([1, 2, 3, 4], at: a)
        #expect(index.matches([11, 12, 13]) == [2])
        #expect(index.matches([1, 2, 3, 4]) == [4])
        index.record([21, 22], at: a)
        #expect(index.matches([11, 12, 13]) == [0])
        #expect(index.matches([1, 2, 3, 4]) == [4])
        #expect(index.count(of: a) == 6)
    }

    @Test func promptAboveTheCapacity_isNotedAsFarAsItGoes() {
        var index = PrefixIndex()
        let a = index.addHolder(capacity: 2)
        index.record([1, 2, 3, 4], at: a)
        #expect(index.matches([1, 2, 3, 4]) == [2])
        let b = index.addHolder(capacity: 0)
        index.record([1], at: b)
        #expect(index.matches([1]) == [1, 0])
    }

    @Test func lowerCapacity_forgetsAtOnce() {
        var index = PrefixIndex()
        let a = holder(&index)
        index.record([1, 2, 3, 4], at: a)
        index.setCapacity(a, 1)
        #expect(index.matches([1, 2, 3, 4]) == [1])
        index.setCapacity(a, -1)
        #expect(index.count == 0)
    }

    @Test func holderThatBeginsAnewOrGoes_hasNothing() {
        var index = PrefixIndex()
        let (a, b) = (holder(&index), holder(&index))
        index.record([1, 2], at: a)
        index.record([1, 2], at: b)
        index.clear(a)
        #expect(index.matches([1, 2]) == [0, 2])
        index.record([1], at: a)
        index.removeHolder(b)
        #expect(index.matches([1, 2]) == [1, 0])
        let next = holder(&index)
        #expect(next == b)
        #expect(index.matches([1, 2]) == [1, 0])
        #expect(index.count == 1)
    }

    @Test func promptsThatGoOnOtherwise_joinWhereTheirMatchEnds() {
        var index = PrefixIndex(joinTime: .seconds(60))
        let (a, b) = (holder(&index), holder(&index))
        func joins(_ prompt: [UInt64], now: Duration = .zero) -> Double {
            index.joins(of: prompt, index.matches(prompt), now: now)
        }
        index.record([1, 2, 3], at: a)
        #expect(joins([1, 2, 4]) == 0)
        index.record([1, 2, 4], at: a)
        index.record([1, 2, 5], at: a)
        #expect(joins([1, 2, 6]) == 2)
        // A match that is longer, or shorter, is another one.
        #expect(joins([1, 2, 3, 7]) == 0)
        #expect(joins([1, 8]) == 0)
        #expect(joins([9]) == 0)
        #expect(joins([]) == 0)
        // A prompt that ends there joins, too.
        index.record([1, 2], at: a)
        #expect(joins([1, 2]) == 3)
        // All holders with the longest match count.
        index.record([1, 2], at: b)
        index.record([1, 2], at: b)
        #expect(joins([1, 2]) == 4)
        index.record([1, 2, 3], at: b)
        #expect(joins([1, 2, 6]) == 5)
    }

    @Test func joins_fade_andGoWithTheirBlock() {
        var index = PrefixIndex(joinTime: .seconds(60))
        let a = holder(&index)
        for last in 2...4 as ClosedRange<UInt64> { index.record([1, last], at: a) }
        func joins(now: Duration) -> Double { index.joins(of: [1], index.matches([1]), now: now) }
        #expect(joins(now: .zero) == 2)
        let faded = joins(now: .seconds(60))
        #expect((0.735...0.737).contains(faded), "\(faded)")
        index.record([1], at: a, now: .seconds(6000))
        #expect(abs(joins(now: .seconds(6000)) - 1) < 1e-6)
        index.clear(a)
        index.record([1], at: a, now: .seconds(6000))
        #expect(joins(now: .seconds(6000)) == 0)
    }

    @Test func numbersOfNobody_changeNothing() {
        var index = PrefixIndex()
        for number in [-1, 0, 5] {
            index.record([1], at: number)
            index.clear(number)
            index.setCapacity(number, 3)
            index.removeHolder(number)
            #expect(index.count(of: number) == 0)
        }
        let a = holder(&index)
        index.removeHolder(a)
        index.record([1], at: a)
        #expect(index.count == 0)
    }

    /// Beside the plainest thing that does the same.
    @Test func randomEvents_agreeWithListsByRecency() {
        for seed in SimulationSeeds.first(100) {
            var random = SeededGenerator(seed: seed)
            var index = PrefixIndex()
            // The most recent first.
            var lists: [[UInt64]] = []
            var capacities: [Int] = []
            for step in 0..<200 {
                let place = lists.isEmpty ? 0 : Int.random(in: lists.indices, using: &random)
                switch Int.random(in: 0..<20, using: &random) {
                case 0 where lists.count < 4:
                    capacities.append(Int.random(in: 0...12, using: &random))
                    let holder = index.addHolder(capacity: capacities.last ?? 0)
                    #expect(holder == lists.count)
                    lists.append([])
                case 1 where !lists.isEmpty:
                    index.clear(place)
                    lists[place] = []
                case 2 where !lists.isEmpty:
                    capacities[place] = Int.random(in: 0...12, using: &random)
                    index.setCapacity(place, capacities[place])
                    lists[place] = Array(lists[place].prefix(capacities[place]))
                default:
                    guard !lists.isEmpty else { continue }
                    let prompt = prompt(&random)
                    index.record(prompt, at: place)
                    let kept = prompt.prefix(capacities[place])
                    lists[place].removeAll { kept.contains($0) }
                    lists[place] = Array((kept + lists[place]).prefix(capacities[place]))
                }
                let question = prompt(&random)
                let expected = lists.map { list in
                    question.prefix { list.contains($0) }.count
                }
                let isRight = index.matches(question) == expected
                #expect(isRight, "step \(step), \(SimulationSeeds.replay(seed))")
                #expect(index.count == lists.reduce(0) { $0 + $1.count })
                if !isRight { return }
            }
        }
    }

    private func holder(_ index: inout PrefixIndex) -> Int { index.addHolder(capacity: 100) }

    /// One of a few that share their beginnings.
    private func prompt(_ random: inout SeededGenerator) -> [UInt64] {
        var prompt: [UInt64] = []
        var hash: UInt64 = 1
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            hash = hash * 2 + random.next() % 2
            prompt.append(hash)
        }
        return prompt
    }
}
