import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Quotas that gateways share, over many seeds")
struct QuotaSharingSimulationTests {
    /// Some gateways, a limit, and how hard each gateway is pressed.
    private struct Scenario {
        let rate: TokenRate
        let gateways: Int
        var simulation: SharingSimulation
        var excess: RateExcess
        /// Whether less than nothing was ever left.
        var isOverdrawn = false

        init(seed: UInt64, gateways: ClosedRange<Int> = 1...6, isShared: Bool = true) {
            var generator = SeededGenerator(seed: seed)
            // Whole microseconds a token, so that nothing is rounded.
            let perSecond: Double = [5, 10, 20, 50, 100].randomElement(using: &generator) ?? 20
            rate = TokenRate(
                perSecond: perSecond,
                burst: .random(in: 1...Int(perSecond * 2), using: &generator))
            self.gateways = .random(in: gateways, using: &generator)
            simulation = SharingSimulation(
                gateways: self.gateways, QuotaLimits(rate: rate), isShared: isShared, seed: seed)
            excess = RateExcess(rate: perSecond)
        }

        /// What the documentation of ``QuotaExchange`` says, for a window of no length.
        var bound: Double {
            let d = simulation.exchangeMax.seconds
            let each = Double(rate.burst) + rate.perSecond * d
            return rate.perSecond * 2 * d + Double(gateways + 1) * each
        }

        /// Asks each gateway for so many times the limit, and lets a step pass.
        mutating func step(pressure: Double) {
            let expected = pressure * rate.perSecond * SharingSimulation.step.seconds
            for gateway in 0..<gateways {
                var requests = Int(expected)
                let rest = expected - Double(requests)
                if Double.random(in: 0..<1, using: &simulation.generator) < rest { requests += 1 }
                for _ in 0..<requests {
                    guard case .admitted(let balance) = simulation.ask(gateway) else { break }
                    if balance.map({ $0.remaining < 0 }) ?? true { isOverdrawn = true }
                    simulation.release(gateway)
                    excess.admit(now: simulation.now)
                }
            }
            simulation.advance()
        }

        /// What is let in during so many seconds of pressure on every gateway.
        mutating func admitted(during seconds: Int, pressure: Double = 2) -> Int {
            let before = excess.admitted
            for _ in 0..<(seconds * 200) { step(pressure: pressure) }
            return excess.admitted - before
        }
    }

    /// Whatever comes, by phases of more and less, no window of time lets in more than is said.
    @Test func whatIsLetIn_staysWithinTheBound() {
        for seed in SimulationSeeds.first(40) {
            var scenario = Scenario(seed: seed)
            for _ in 0..<12 {
                let pressures = [0, 0.1, 0.5, 1, 3, 20]
                let pressure = pressures.randomElement(using: &scenario.simulation.generator) ?? 1
                _ = scenario.admitted(during: 1, pressure: pressure)
            }
            #expect(
                scenario.excess.most <= scenario.bound, "\(SimulationSeeds.replay(seed))")
            #expect(!scenario.isOverdrawn, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// The same without sharing shows that the bound means something.
    @Test func whatIsLetInWithoutSharing_exceedsTheBound() {
        for seed in SimulationSeeds.first(10) {
            var scenario = Scenario(seed: seed, gateways: 3...6, isShared: false)
            _ = scenario.admitted(during: 20)
            #expect(scenario.excess.most > scenario.bound, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func pressureThatLasts_getsWhatTheLimitSaysAndNoLess() {
        for seed in SimulationSeeds.first(25) {
            var scenario = Scenario(seed: seed, gateways: 2...6)
            // Till the bursts are paid for.
            _ = scenario.admitted(during: 15)
            let admitted = Double(scenario.admitted(during: 20))
            let limit = scenario.rate.perSecond * 20
            let d = scenario.simulation.exchangeMax.seconds
            let slack = Double(scenario.gateways + 1) * (scenario.rate.perSecond * d + 1)
            #expect(admitted <= limit + slack, "\(SimulationSeeds.replay(seed))")
            #expect(admitted >= limit - slack, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Each gateway gets as many requests as come to one alone: nobody is refused for long.
    @Test func pressureWithinTheLimit_isLetIn() {
        for seed in SimulationSeeds.first(30) {
            var scenario = Scenario(seed: seed, gateways: 2...6)
            guard scenario.rate.burst >= Int(scenario.rate.perSecond) else { continue }
            let each = 0.7 / Double(scenario.gateways)
            let admitted = Double(scenario.admitted(during: 20, pressure: each))
            let expected = scenario.rate.perSecond * 0.7 * 20
            // Three standard deviations of a Bernoulli arrival, and a little.
            #expect(
                admitted >= expected - 3 * expected.squareRoot() - 2,
                "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Shared or not, a gateway alone lets in the same, also when the store fails or forgets.
    @Test func oneGateway_isHeldToItsLimitAsWithoutSharing() {
        for seed in SimulationSeeds.first(50) {
            var shared = Scenario(seed: seed, gateways: 1...1)
            var alone = Scenario(seed: seed, gateways: 1...1, isShared: false)
            var generator = SeededGenerator(seed: seed &+ 1)
            var isSame = true
            for _ in 0..<3000 {
                for _ in 0..<Int.random(in: 0...2, using: &generator) {
                    isSame = shared.simulation.ask(0) == alone.simulation.ask(0) && isSame
                    shared.simulation.release(0)
                    alone.simulation.release(0)
                }
                if Int.random(in: 0..<200, using: &generator) == 0 {
                    shared.simulation.storeServes.toggle()
                }
                if Int.random(in: 0..<200, using: &generator) == 0 { shared.simulation.flush() }
                shared.simulation.advance()
                alone.simulation.advance()
            }
            #expect(isSame, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func storeThatIsAway_leavesEachGatewayItsOwnLimitAndHoldsAgainAfterwards() {
        for seed in SimulationSeeds.first(15) {
            var scenario = Scenario(seed: seed, gateways: 2...4)
            let (rate, count) = (scenario.rate.perSecond, Double(scenario.gateways))
            let burst = Double(scenario.rate.burst)
            _ = scenario.admitted(during: 15)
            scenario.simulation.storeServes = false
            // So many that a bucket of one token is never full for long.
            let during = Double(scenario.admitted(during: 10, pressure: 20))
            #expect(during <= count * (rate * 10 + burst + 1), "\(SimulationSeeds.replay(seed))")
            #expect(during >= count * (rate * 10 - burst) * 0.9, "\(SimulationSeeds.replay(seed))")
            scenario.simulation.storeServes = true
            // What was told and taken though it seemed to fail is owed.
            _ = scenario.admitted(during: 40)
            let after = Double(scenario.admitted(during: 10))
            let slack = (count + 1) * (rate * scenario.simulation.exchangeMax.seconds + 1)
            #expect(abs(after - rate * 10) <= slack, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func storeThatForgets_addsABurstOfEachGatewayAtMost() {
        for seed in SimulationSeeds.first(15) {
            var scenario = Scenario(seed: seed, gateways: 2...6)
            for _ in 0..<4 {
                _ = scenario.admitted(during: 2)
                scenario.simulation.flush()
            }
            #expect(
                scenario.excess.most <= scenario.bound * 5, "\(SimulationSeeds.replay(seed))")
            _ = scenario.admitted(during: 15)
            let after = Double(scenario.admitted(during: 10))
            let rate = scenario.rate.perSecond
            let d = scenario.simulation.exchangeMax.seconds
            let slack = Double(scenario.gateways + 1) * (rate * d + 1)
            #expect(abs(after - rate * 10) <= slack, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// One that starts anew learns at its first exchange what the others have let in.
    @Test func gatewaysThatStartAnew_letInABurstAndOweIt() {
        for seed in SimulationSeeds.first(15) {
            var scenario = Scenario(seed: seed, gateways: 2...4)
            _ = scenario.admitted(during: 15)
            let before = scenario.excess.admitted
            for restart in 0..<20 {
                scenario.simulation.restart(restart % scenario.gateways)
                _ = scenario.admitted(during: 2)
            }
            let admitted = Double(scenario.excess.admitted - before)
            let rate = scenario.rate.perSecond
            let each = Double(scenario.rate.burst) + rate * scenario.simulation.exchangeMax.seconds
            // Owed, but for what is forgiven and not told by the one that was killed.
            let untold = 20 * rate * scenario.simulation.exchangeMax.seconds
            let bound = rate * 40 + Double(scenario.simulation.configuration.gatewaysMax) * each
            #expect(admitted <= bound + untold, "\(SimulationSeeds.replay(seed))")
        }
    }

    // MARK: Requests at once

    /// Requests that take a while, on gateways that are all asked for more than there may be.
    private struct Flights {
        var simulation: SharingSimulation
        let gateways: Int
        var ends: [(gateway: Int, at: Duration)] = []

        init(seed: UInt64, gateways: Int, limit: Int) {
            self.gateways = gateways
            simulation = SharingSimulation(
                gateways: gateways, QuotaLimits(concurrent: limit), seed: seed)
        }

        var total: Int { (0..<gateways).reduce(0) { $0 + simulation.inFlight($1) } }

        mutating func step(asking asked: Range<Int>) {
            for end in ends where end.at <= simulation.now { simulation.release(end.gateway) }
            ends.removeAll { $0.at <= simulation.now }
            for gateway in asked.shuffled(using: &simulation.generator) {
                while case .admitted = simulation.ask(gateway) {
                    let duration = Int.random(in: 50...1000, using: &simulation.generator)
                    ends.append((gateway, simulation.now + .milliseconds(duration)))
                }
            }
            simulation.advance()
        }
    }

    @Test func requestsAtOnce_settleAtTheLimitAndEveryGatewayHasSome() {
        for seed in SimulationSeeds.first(15) {
            var generator = SeededGenerator(seed: seed)
            let gateways = Int.random(in: 2...4, using: &generator)
            let limit = Int.random(in: 8...40, using: &generator)
            var flights = Flights(seed: seed, gateways: gateways, limit: limit)
            var most = 0
            for _ in 0..<600 {
                flights.step(asking: 0..<gateways)
                most = max(most, flights.total)
            }
            #expect(most <= gateways * limit, "\(SimulationSeeds.replay(seed))")
            var sum = 0
            var least = Int.max
            for _ in 0..<1000 {
                flights.step(asking: 0..<gateways)
                sum += flights.total
                for gateway in 0..<gateways {
                    least = min(least, flights.simulation.inFlight(gateway))
                }
            }
            let mean = Double(sum) / 1000
            #expect(mean <= Double(limit) * 1.25, "\(SimulationSeeds.replay(seed)): \(mean)")
            #expect(mean >= Double(limit) * 0.8, "\(SimulationSeeds.replay(seed)): \(mean)")
            #expect(least >= limit / gateways / 2, "\(SimulationSeeds.replay(seed)): \(least)")
        }
    }

    @Test func requestsOfAGatewayThatEnded_countNoMoreAfterAWhile() {
        for seed in SimulationSeeds.first(20) {
            var flights = Flights(seed: seed, gateways: 2, limit: 10)
            for _ in 0..<200 { flights.step(asking: 0..<2) }
            flights.ends.removeAll { $0.gateway == 1 }
            flights.simulation.restart(1)
            for _ in 0..<700 { flights.step(asking: 0..<1) }
            #expect(flights.simulation.inFlight(0) == 10, "\(SimulationSeeds.replay(seed))")
        }
    }
}
