import MartletTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import MartletTransport

@Suite("Letting go of kept heads")
struct KeptHeadSweepTests {
    private final class Holder: KeptHeadHolder {
        var keptHeadPlace: Int?
        var isIdle = false
        private(set) var timesAsked = 0

        func letGoIfIdle() -> Bool {
            timesAsked += 1
            return isIdle
        }
    }

    @Test func holders_areAskedUntilTheyLetGo() {
        let loop = EmbeddedEventLoop()
        let sweep = KeptHeadSweep(eventLoop: loop)
        let (idle, busy) = (Holder(), Holder())
        idle.isIdle = true
        for holder in [idle, busy, busy] { sweep.add(holder) }
        #expect(sweep.count == 2)
        loop.advanceTime(by: .milliseconds(999))
        #expect(busy.timesAsked == 0)
        loop.advanceTime(by: .milliseconds(1))
        #expect([idle, busy].map(\.timesAsked) == [1, 1])
        #expect([idle, busy].map(\.keptHeadPlace) == [nil, 0])
        busy.isIdle = true
        loop.advanceTime(by: .seconds(10))
        #expect([idle, busy].map(\.timesAsked) == [1, 2])
        #expect(sweep.count == 0)
        sweep.add(idle)
        loop.advanceTime(by: .seconds(1))
        #expect(idle.timesAsked == 2)
    }

    @Test func holders_thatComeAndGo_areAskedOnceEach() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            let sweep = KeptHeadSweep(eventLoop: EmbeddedEventLoop())
            let holders = (0..<8).map { _ in Holder() }
            var held: Set<Int> = []
            for _ in 0..<100 {
                let index = Int.random(in: 0..<8, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0, 1:
                    sweep.add(holders[index])
                    held.insert(index)
                case 2:
                    sweep.remove(holders[index])
                    held.remove(index)
                case 3: holders[index].isIdle.toggle()
                default:
                    let before = holders.map(\.timesAsked)
                    sweep.sweep()
                    for (index, holder) in holders.enumerated() {
                        let times = held.contains(index) ? 1 : 0
                        #expect(
                            holder.timesAsked - before[index] == times,
                            "\(SimulationSeeds.replay(seed))")
                        if holder.isIdle { held.remove(index) }
                    }
                }
                let places = held.compactMap { holders[$0].keptHeadPlace }.sorted()
                #expect(places == Array(0..<held.count), "\(SimulationSeeds.replay(seed))")
                #expect(sweep.count == held.count, "\(SimulationSeeds.replay(seed))")
            }
        }
    }
}
