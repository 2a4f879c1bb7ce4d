import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Prequal")
struct PrequalTests {
    @Test func pick_amongAFewEndpoints_isTheFastestThatIsNotTheBusiest() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b, c)
        balancer.answer(a, seconds: 0.01, endingAt: .seconds(1))
        balancer.answer(b, seconds: 0.03, endingAt: .seconds(1))
        balancer.answer(c, seconds: 0.50, endingAt: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [a: 20])
        balancer.begin(1, at: a, now: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [b: 20])
    }

    @Test func probe_tellsOfOtherGateways() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        balancer.probe(a, inFlight: 5, latency: .milliseconds(10), now: .zero)
        balancer.probe(b, inFlight: 0, latency: .milliseconds(90), now: .zero)
        #expect(balancer.tally(20) == [b: 20])
        // What was told long ago no longer counts.
        #expect(balancer.tally(100, now: .seconds(11)).keys.sorted() == [a, b])
    }

    @Test func probe_doesNotCountThisGatewaysRequestsTwice() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        balancer.begin(2, at: a)
        balancer.begin(3, at: b)
        balancer.probe(a, inFlight: 2, latency: .milliseconds(10), now: .zero)
        balancer.probe(b, inFlight: 3, latency: .milliseconds(10), now: .zero)
        #expect(balancer.tally(20) == [a: 20])
    }

    @Test func probe_withoutALatency_leavesWhatIsKnownOfIt() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        balancer.answer(a, seconds: 0.01, endingAt: .seconds(1))
        balancer.answer(b, seconds: 0.50, endingAt: .seconds(1))
        balancer.probe(a, inFlight: 0, latency: nil, now: .seconds(1))
        balancer.probe(b, inFlight: 0, latency: nil, now: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [a: 20])
    }

    @Test func probe_isBelievedBeforeAReport() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        for id in [a, b] {
            balancer.report(id, LoadSample(rps: 1, eps: 0, utilization: 1), now: .zero)
            balancer.answer(id, seconds: 0.1, endingAt: .milliseconds(900))
        }
        balancer.probe(a, inFlight: 0, latency: .milliseconds(100), now: .seconds(1))
        balancer.probe(b, inFlight: 2, latency: .milliseconds(100), now: .seconds(1))
        // By its report alone, a has 99 in flight for others.
        balancer.report(a, LoadSample(rps: 991, eps: 0, utilization: 1), now: .seconds(1))
        balancer.report(b, LoadSample(rps: 1, eps: 0, utilization: 1), now: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [a: 20])
    }

    @Test func reports_thatComeTooOften_areNotTakenForTheRequestsOfOthers() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        for id in [a, b] {
            balancer.report(id, LoadSample(rps: 10, eps: 0, utilization: 1), now: .zero)
            balancer.answer(id, seconds: 0.1, endingAt: .milliseconds(50))
        }
        // None of the 1000 a second has ended here within the millisecond.
        balancer.report(
            a, LoadSample(rps: 1000, eps: 0, utilization: 1), now: .milliseconds(499))
        balancer.begin(1, at: b, now: .milliseconds(500))
        #expect(balancer.tally(20, now: .milliseconds(500)) == [a: 20])
    }

    @Test func report_tellsOfOtherGateways() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        for id in [a, b] {
            balancer.report(id, LoadSample(rps: 1, eps: 0, utilization: 1), now: .zero)
            for step in 1...10 {
                balancer.answer(id, seconds: 0.1, endingAt: .milliseconds(step * 100))
            }
        }
        // Of 60 a second 10 were ours; the other 50 take 0.1 s each, so 5 are in flight.
        balancer.report(a, LoadSample(rps: 60, eps: 0, utilization: 1), now: .seconds(1))
        balancer.report(b, LoadSample(rps: 10, eps: 0, utilization: 1), now: .seconds(1))
        balancer.begin(4, at: b, now: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [b: 20])
        balancer.begin(2, at: b, now: .seconds(1))
        #expect(balancer.tally(20, now: .seconds(1)) == [a: 20])
    }

    @Test func probes_areAskedForAtTheRateOfPicksOrOfIdleTime() {
        var balancer = Prequal(seed: 0)
        let ids = (0..<40).map { EndpointID("node-\($0):1") }
        for id in ids { balancer.addHealthy(id) }
        #expect(balancer.endpointsToProbe(now: .zero).count == 3)
        #expect(balancer.endpointsToProbe(now: .milliseconds(1)).isEmpty)
        _ = balancer.tally(2)
        let probes = balancer.endpointsToProbe(now: .milliseconds(2))
        #expect(probes.count == 6 && Set(probes).count == 6)
        // However many picks there were.
        _ = balancer.tally(1000)
        #expect(balancer.endpointsToProbe(now: .milliseconds(3)).count == 16)
        #expect(balancer.endpointsToProbe(now: .milliseconds(1002)).isEmpty)
        #expect(balancer.endpointsToProbe(now: .milliseconds(1003)).count == 3)
    }

    @Test func probes_areOfHealthyEndpointsOnly() {
        var balancer = Prequal(seed: 0)
        balancer.addHealthy(a, b)
        balancer.setHealthy(a, false, now: .zero)
        #expect(balancer.endpointsToProbe(now: .zero) == [b])
        balancer.probe(a, inFlight: 0, latency: .zero, now: .zero)
        #expect(balancer.tally(10) == [b: 10])
    }

    @Test func endpoints_ofALargeCluster_areAllPicked() {
        var balancer = Prequal(seed: 0)
        for number in 0..<200 { balancer.addHealthy(EndpointID("node-\(number):1")) }
        var tally: [EndpointID: Int] = [:]
        for step in 0..<20_000 {
            let now = Duration.milliseconds(step)
            guard let id = balancer.pick(now: now) else { continue }
            balancer.answer(id, seconds: 0.001, endingAt: now)
            tally[id, default: 0] += 1
        }
        #expect(tally.count == 200)
        #expect(tally.values.allSatisfy { (50...150).contains($0) })
    }
}
