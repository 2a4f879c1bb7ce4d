import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Map that knows what was used least recently")
struct RecencyMapTests {
    @Test func leastRecent_isTheOneUsedLongestAgo() {
        var map = RecencyMap<String, Int>()
        #expect(map.leastRecent == nil)
        for (number, key) in ["a", "b", "c"].enumerated() { map.use(key, number) }
        #expect(map.leastRecent?.key == "a")
        map.use("a", 7)
        #expect(map.leastRecent?.key == "b")
        map.update("b") { $0 += 10 }
        #expect(map.leastRecent?.key == "b" && map["b"] == 11)
        map.remove("b")
        #expect(map.leastRecent?.key == "c")
        #expect(map["a"] == 7 && map["b"] == nil && map.count == 2)
    }

    /// Against a list that is searched from end to end.
    @Test func randomUse_keepsTheOrder() {
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            var map = RecencyMap<Int, Int>()
            var list: [(key: Int, value: Int)] = []
            var isKept = true
            for step in 0..<60 {
                let key = Int.random(in: 0..<8, using: &generator)
                let place = list.firstIndex { $0.key == key }
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    map.remove(key)
                    if let place { list.remove(at: place) }
                case 1:
                    map.update(key) { $0 = step }
                    if let place { list[place].value = step }
                default:
                    map.use(key, step)
                    if let place { list.remove(at: place) }
                    list.append((key, step))
                }
                isKept = isKept && map.count == list.count
                isKept = isKept && map.leastRecent?.key == list.first?.key
                isKept = isKept && list.allSatisfy { map[$0.key] == $0.value }
            }
            // The whole order, from the front.
            while let next = map.leastRecent, !list.isEmpty {
                isKept = isKept && next == list.removeFirst()
                map.remove(next.key)
            }
            isKept = isKept && map.count == 0 && list.isEmpty
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }
}
