import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Round robin")
struct RoundRobinTests {
    @Test func picks_takeTurns() {
        var balancer = RoundRobin(seed: 1)
        balancer.addHealthy(a, b, c)
        let round = (0..<3).map { _ in balancer.pick(now: .zero) }
        #expect(Set(round) == [a, b, c])
        for _ in 0..<10 {
            #expect((0..<3).map { _ in balancer.pick(now: .zero) } == round)
        }
    }

    @Test func picks_whateverHappensAtEndpoints_areEven() {
        var balancer = RoundRobin(seed: 1)
        balancer.addHealthy(a, b, c)
        balancer.report(a, .carrying(100), now: .zero)
        balancer.begin(50, at: b)
        balancer.fail(c, now: .zero)
        #expect(balancer.tally(300) == [a: 100, b: 100, c: 100])
        #expect(balancer.weights == [a: 1, b: 1, c: 1])
    }

    @Test func picks_afterExclusions_areMadeEvenAgain() {
        var balancer = RoundRobin(seed: 1)
        balancer.addHealthy(a, b, c)
        let passedBy = balancer.tally(1, excluding: [a])
        let rest = balancer.tally(299)
        for id in [a, b, c] {
            #expect((passedBy[id] ?? 0) + (rest[id] ?? 0) == 100)
        }
    }

    @Test func endpoint_saidHealthyTwice_hasOneTurn() {
        var balancer = RoundRobin(seed: 1)
        balancer.addHealthy(a, b)
        balancer.addHealthy(a)
        #expect(balancer.tally(10) == [a: 5, b: 5])
    }
}
