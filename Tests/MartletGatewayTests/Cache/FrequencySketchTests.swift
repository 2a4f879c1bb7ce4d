import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Frequency sketch")
struct FrequencySketchTests {
    @Test func estimates_areNeverTooLowBeforeTheFirstHalving() {
        for seed in SimulationSeeds.first(200) {
            var generator = SeededGenerator(seed: seed)
            var sketch = FrequencySketch()
            var counts: [UInt64: Int] = [:]
            for _ in 0..<sketch.sample - 1 {
                let hash = SeededHash.mix(UInt64.random(in: 0..<80, using: &generator) ^ seed)
                sketch.increment(hash)
                counts[hash, default: 0] += 1
            }
            let isTooLow = counts.contains {
                sketch.estimate($0.key) < min($0.value, FrequencySketch.ceiling)
            }
            #expect(!isTooLow, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func estimates_areMostlyRight() {
        var sketch = FrequencySketch()
        sketch.fit(entries: 1000)
        for key in UInt64(0)..<1000 {
            for _ in 0..<key % 8 { sketch.increment(SeededHash.mix(key)) }
        }
        let wrong = (UInt64(0)..<1000).count { key in
            sketch.estimate(SeededHash.mix(key)) != key % 8
        }
        #expect(wrong < 20)
        let unseen = (UInt64(1000)..<2000).count { sketch.estimate(SeededHash.mix($0)) > 0 }
        #expect(unseen < 60)
    }

    @Test func fullSample_halvesEveryCounter() {
        var sketch = FrequencySketch()
        for _ in 0..<12 { sketch.increment(SeededHash.mix(1)) }
        for _ in 0..<7 { sketch.increment(SeededHash.mix(2)) }
        #expect(sketch.estimate(SeededHash.mix(1)) == 12)
        // The rest of the sample is one other key.
        for _ in 0..<sketch.sample - 20 { sketch.increment(SeededHash.mix(3)) }
        #expect(sketch.estimate(SeededHash.mix(1)) == 12)
        sketch.increment(SeededHash.mix(3))
        #expect(sketch.estimate(SeededHash.mix(1)) == 6)
        #expect(sketch.estimate(SeededHash.mix(2)) == 3)
        #expect(sketch.estimate(SeededHash.mix(3)) == FrequencySketch.ceiling / 2)
    }

    @Test func growing_forgetsNothing() {
        var sketch = FrequencySketch()
        for key in UInt64(0)..<60 {
            for _ in 0..<key % 8 { sketch.increment(SeededHash.mix(key)) }
        }
        let before = (UInt64(0)..<60).map { sketch.estimate(SeededHash.mix($0)) }
        sketch.fit(entries: 5000)
        #expect(sketch.entries >= 5000)
        #expect((UInt64(0)..<60).map { sketch.estimate(SeededHash.mix($0)) } == before)
    }

    @Test func growing_stopsAtItsBound() {
        var sketch = FrequencySketch(entriesMax: 1000)
        sketch.fit(entries: .max)
        #expect(sketch.entries >= 1000 && sketch.entries < 2000)
    }
}
