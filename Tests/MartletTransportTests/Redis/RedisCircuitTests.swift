import MartletTestKit
import Testing

@testable import MartletTransport

@Suite("A Redis server that fails is left alone")
struct RedisCircuitTests {
    /// A circuit that is asked in milliseconds.
    private final class Bench {
        var circuit = RedisCircuit(
            failuresMax: 3, restMin: .milliseconds(100), restMax: .seconds(1))

        func rests(afterFailureAt now: Int) -> Bool {
            circuit.commandFailed(now: .milliseconds(now), jitter: 0)
        }

        func failToConnect(at now: Int = 0, jitter: Double = 0) {
            circuit.connectionFailed(now: .milliseconds(now), jitter: jitter)
        }

        func isResting(_ now: Int) -> Bool { circuit.isResting(now: .milliseconds(now)) }
    }

    @Test func failuresInARow_beginARest() {
        let bench = Bench()
        #expect(!bench.rests(afterFailureAt: 0))
        #expect(!bench.rests(afterFailureAt: 0))
        bench.circuit.succeeded()
        #expect(!bench.rests(afterFailureAt: 0))
        #expect(!bench.rests(afterFailureAt: 0))
        #expect(!bench.circuit.isSuspect)
        #expect(bench.rests(afterFailureAt: 0))
        #expect(bench.circuit.isSuspect)
        #expect(bench.isResting(99))
        #expect(!bench.isResting(100))
        #expect(bench.circuit.isSuspect)
    }

    @Test func connectionThatDoesNotComeAbout_beginsARestAtOnce() {
        let bench = Bench()
        bench.failToConnect()
        #expect(bench.isResting(99))
        // The next failure need not be repeated.
        #expect(bench.rests(afterFailureAt: 100))
        #expect(bench.isResting(299))
    }

    @Test func rests_doubleUpToTheLongest_andAReplyEndsThem() {
        let bench = Bench()
        for expected in [100, 200, 400, 800, 1000, 1000] {
            bench.failToConnect()
            #expect(bench.isResting(expected - 1))
            #expect(!bench.isResting(expected))
        }
        for _ in 0..<100 { bench.failToConnect() }
        #expect(!bench.isResting(1000))
        bench.circuit.succeeded()
        #expect(!bench.isResting(0))
        #expect(!bench.circuit.isSuspect)
        bench.failToConnect()
        #expect(!bench.isResting(100))
    }

    @Test func jitter_takesUpToAHalfOff() {
        for seed in SimulationSeeds.first(1000) {
            var random = SeededGenerator(seed: seed)
            let bench = Bench()
            bench.failToConnect(jitter: .random(in: 0...1, using: &random))
            let isWithin =
                bench.isResting(49)
                && !bench.isResting(100)
            if !isWithin { Issue.record("\(SimulationSeeds.replay(seed))") }
        }
        let bench = Bench()
        bench.failToConnect(jitter: 1)
        #expect(!bench.isResting(50))
    }

    @Test func senselessFigures_areTakenAsTheNearestSensible() {
        var circuit = RedisCircuit(
            failuresMax: -1, restMin: .seconds(-1), restMax: .seconds(Int64.max))
        let isResting = circuit.commandFailed(now: .zero, jitter: 7)
        #expect(isResting)
        for _ in 0..<100 { circuit.connectionFailed(now: .zero, jitter: -7) }
        #expect(!circuit.isResting(now: .seconds(86_400)))
    }
}
