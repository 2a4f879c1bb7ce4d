import Foundation
import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

/// An endpoint with a few workers and a queue, behind the limit, under more load than it can carry.
@Suite("Adaptive concurrency: simulation")
struct AdaptiveConcurrencySimulationTests {
    @Test(arguments: [(1, 0.02), (4, 0.05), (8, 0.02), (16, 0.1)])
    func tenTimesTheLoadThatFits_keepsTheEndpointBusyAndItsQueueShort(
        workers: Int, service: Double
    ) {
        for seed in SimulationSeeds.first(3) {
            var world = LimitedWorld(workers: workers, service: service, seed: seed)
            let rate = 10 * Double(workers) / service
            world.run(rate: rate, seconds: 15)
            world.mark()
            world.run(rate: rate, seconds: 30)
            let name = "\(workers) workers, \(SimulationSeeds.replay(seed))"
            #expect(world.utilization >= 0.95, "\(name)")
            // The queue is about as long as there are workers, and the root of that.
            let most = (7 + 33 / Double(workers)) * service
            #expect(world.latency(0.99) <= most, "\(name)")
        }
    }

    @Test func afterAnOverload_loadThatFitsIsHardlyRefused() {
        for seed in SimulationSeeds.first(5) {
            var world = LimitedWorld(workers: 8, service: 0.02, seed: seed)
            world.run(rate: 4000, seconds: 10)
            world.run(rate: 200, seconds: 2)
            world.mark()
            world.run(rate: 200, seconds: 10)
            // Of two thousand, by chance alone.
            #expect(world.refused <= 10, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Ten minutes: a baseline that followed every latency would by then call any queue normal.
    @Test func overloadThatLasts_doesNotRaiseTheLimit() {
        for seed in SimulationSeeds.first(3) {
            var world = LimitedWorld(workers: 8, service: 0.05, seed: seed)
            world.run(rate: 480, seconds: 500)
            world.mark()
            world.run(rate: 480, seconds: 100)
            #expect(world.latency(0.5) <= 4 * 0.05, "\(SimulationSeeds.replay(seed))")
            #expect(world.utilization >= 0.95, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func endpointThatBecomesSlowerUnderOverload_isUsedFullyAgain() {
        for seed in SimulationSeeds.first(3) {
            var world = LimitedWorld(workers: 8, service: 0.02, seed: seed)
            world.run(rate: 1200, seconds: 20)
            world.service = 0.1
            world.run(rate: 400, seconds: 60)
            world.mark()
            world.run(rate: 400, seconds: 60)
            #expect(world.utilization >= 0.95, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func underOverload_higherPrioritiesAreServedFirst() {
        for seed in SimulationSeeds.first(3) {
            var world = LimitedWorld(workers: 8, service: 0.02, seed: seed)
            // A fifth of what fits is critical, all other is five times what fits.
            world.critical = 0.04
            world.run(rate: 2000, seconds: 20)
            // Some 1,600 are critical.
            #expect(world.refusedCritical < 40, "\(SimulationSeeds.replay(seed))")
            #expect(world.refused > 30_000, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func loadOfLowPriorityAlone_usesTheEndpointFully() {
        for seed in SimulationSeeds.first(3) {
            var world = LimitedWorld(workers: 8, service: 0.02, seed: seed)
            world.other = .low
            world.run(rate: 2000, seconds: 2)
            world.mark()
            world.run(rate: 2000, seconds: 20)
            #expect(world.utilization >= 0.95, "\(SimulationSeeds.replay(seed))")
        }
    }
}

/// Requests that arrive at random, workers that take them in turn, and how it went.
private struct LimitedWorld {
    /// Mean seconds of a service; those of single requests are spread exponentially.
    var service: Double
    /// The share of critical requests, and the priority of the others.
    var critical = 0.0
    var other = RequestPriority.normal
    private(set) var refused = 0
    private(set) var refusedCritical = 0
    private var concurrency = AdaptiveConcurrency()
    private var generator: SeededGenerator
    private var now = 0.0
    /// When each worker will have done what waits for it.
    private var freeAt: [Double]
    /// Those in flight, the next to end last.
    private var running: [(end: Double, latency: Double)] = []
    private var latencies: [Double] = []
    private var start = 0.0
    /// Seconds that workers had nothing to do.
    private var idle = 0.0

    init(workers: Int, service: Double, seed: UInt64) {
        self.service = service
        freeAt = [Double](repeating: 0, count: workers)
        generator = SeededGenerator(seed: seed)
    }

    /// The part of the workers' time that they worked, since the mark.
    var utilization: Double { 1 - idle / (Double(freeAt.count) * (now - start)) }

    /// What a share of the answers since the mark did not take longer than, in seconds.
    func latency(_ share: Double) -> Double {
        let sorted = latencies.sorted()
        let place = Int(Double(sorted.count) * share)
        return place < sorted.count ? sorted[place] : .infinity
    }

    /// Forgets what was seen, not what was learned.
    mutating func mark() {
        start = now
        idle = 0
        latencies = []
        refused = 0
        refusedCritical = 0
    }

    mutating func run(rate: Double, seconds: Double) {
        let end = now + seconds
        while now < end {
            now += exponential(mean: 1 / rate)
            while let next = running.last, next.end <= now { self.end(next) }
            arrive()
        }
    }

    private mutating func arrive() {
        let isCritical = Double.random(in: 0..<1, using: &generator) < critical
        guard concurrency.admit(isCritical ? .critical : other, now: .seconds(now)) == .admitted
        else {
            refused += 1
            if isCritical { refusedCritical += 1 }
            return
        }
        guard let worker = freeAt.indices.min(by: { freeAt[$0] < freeAt[$1] }) else { return }
        idle += max(0, now - max(start, freeAt[worker]))
        let end = max(now, freeAt[worker]) + exponential(mean: service)
        freeAt[worker] = end
        let place = running.firstIndex { $0.end < end } ?? running.count
        running.insert((end, end - now), at: place)
    }

    private mutating func end(_ request: (end: Double, latency: Double)) {
        running.removeLast()
        latencies.append(request.latency)
        concurrency.release(latency: .seconds(request.latency), now: .seconds(request.end))
    }

    private mutating func exponential(mean: Double) -> Double {
        -mean * log(1 - Double.random(in: 0..<1, using: &generator))
    }
}
