import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Consistent hashing with bounded loads")
struct ConsistentHashingTests {
    private static let keys: Range<UInt64> = 0..<10_000

    private func balancer(_ count: Int, seed: UInt64 = 0) -> ConsistentHashing {
        var balancer = ConsistentHashing(seed: seed)
        for number in 0..<count { balancer.addHealthy(EndpointID("node-\(number):8501")) }
        return balancer
    }

    /// Where each key goes while nothing is in flight.
    private func places(_ balancer: ConsistentHashing) -> [EndpointID?] {
        var balancer = balancer
        return Self.keys.map {
            balancer.pick(for: PickRequest(affinityKey: $0), excluding: [], now: .zero)
        }
    }

    /// The first two of a key's order while nothing is in flight.
    private func order(
        of request: PickRequest, in balancer: ConsistentHashing
    ) throws -> (first: EndpointID, next: EndpointID) {
        var balancer = balancer
        let first = balancer.pick(for: request, excluding: [], now: .zero)
        let firstID = try #require(first)
        let next = balancer.pick(for: request, excluding: [firstID], now: .zero)
        return (firstID, try #require(next))
    }

    private func moved(_ before: [EndpointID?], _ after: [EndpointID?]) -> Int {
        zip(before, after).count { $0 != $1 }
    }

    @Test func picks_ofOneKey_areAtOneEndpointInEveryGateway() {
        #expect(places(balancer(10, seed: 1)) == places(balancer(10, seed: 2)))
    }

    @Test func keys_areSpreadEvenly() {
        let tally = Dictionary(grouping: places(balancer(10)), by: \.self).mapValues(\.count)
        #expect(tally.count == 10)
        // Five standard deviations of a fair draw.
        #expect(tally.values.allSatisfy { (850...1150).contains($0) }, "\(tally)")
    }

    @Test func keys_whenAnEndpointJoins_moveOnlyToIt() {
        let before = places(balancer(10))
        let after = places(balancer(11))
        let newcomer = EndpointID("node-10:8501")
        #expect(zip(before, after).allSatisfy { $0 == $1 || $1 == newcomer })
        // One in eleven is 909.
        #expect((760...1060).contains(moved(before, after)))
    }

    @Test func keys_whenAnEndpointLeaves_moveOnlyFromItAndToAllOthers() {
        var balancer = balancer(10)
        let before = places(balancer)
        let leaver = EndpointID("node-3:8501")
        balancer.remove(leaver)
        let after = places(balancer)
        #expect(zip(before, after).allSatisfy { $0 == $1 || $0 == leaver })
        let heirs = zip(before, after).filter { $0.0 == leaver }.map(\.1)
        let tally = Dictionary(grouping: heirs, by: \.self).mapValues(\.count)
        // A ninth of a thousand is 111.
        #expect(tally.count == 9)
        #expect(tally.values.allSatisfy { (60...165).contains($0) }, "\(tally)")
    }

    @Test func keys_whenAnEndpointIsSickAndWellAgain_areWhereTheyWere() {
        var balancer = balancer(10)
        let before = places(balancer)
        let sick = EndpointID("node-3:8501")
        balancer.setHealthy(sick, false, now: .zero)
        let meanwhile = places(balancer)
        #expect(!meanwhile.contains(sick))
        #expect(zip(before, meanwhile).allSatisfy { $0 == $1 || $0 == sick })
        balancer.setHealthy(sick, true, now: .zero)
        #expect(places(balancer) == before)
    }

    @Test func load_ofPopularKeys_neverIsAboveItsBound() {
        for factor in [1.0, 1.25, 2] {
            var balancer = ConsistentHashing(
                configuration: BalancingConfiguration(loadFactor: factor), seed: 0)
            let ids = (0..<7).map { EndpointID("node-\($0):1") }
            for id in ids { balancer.addHealthy(id) }
            var random = SeededGenerator(seed: 9)
            var inFlight: [EndpointID] = []
            var excess = -Double.infinity
            for _ in 1...3000 {
                if inFlight.count > 60, random.unit() < 0.6 {
                    let id = inFlight.remove(at: Int.random(in: 0..<60, using: &random))
                    balancer.didEnd(
                        id, BalancedAttempt(latency: .zero, hasFailed: false), now: .zero)
                }
                let key = ZipfKeys(count: 20).draw(&random)
                let request = PickRequest(affinityKey: key)
                guard let id = balancer.pick(for: request, excluding: [], now: .zero) else {
                    continue
                }
                balancer.didBegin(id, now: .zero)
                inFlight.append(id)
                let load = inFlight.count { $0 == id }
                let bound = (factor * Double(inFlight.count) / 7).rounded(.up)
                excess = max(excess, Double(load) - bound)
            }
            #expect(excess <= 0, "factor \(factor)")
        }
    }

    @Test func pick_whenTheFirstIsFull_isTheNextOfTheKeysOrder() throws {
        var balancer = balancer(5)
        let request = PickRequest(affinityKey: 7)
        let (first, next) = try order(of: request, in: balancer)
        balancer.begin(1, at: first)
        #expect(balancer.pick(for: request, excluding: [], now: .zero) == next)
        balancer.didEnd(first, BalancedAttempt(latency: .zero, hasFailed: false), now: .zero)
        #expect(balancer.pick(for: request, excluding: [], now: .zero) == first)
    }

    @Test func pick_whenNoneHasRoom_isTheLeastLoaded() {
        var balancer = ConsistentHashing(seed: 0)
        balancer.addHealthy(a, b, c)
        for id in [a, a, b] { balancer.fail(id, now: .zero) }
        for key in 0..<20 as Range<UInt64> {
            let request = PickRequest(affinityKey: key)
            #expect(balancer.pick(for: request, excluding: [c], now: .zero) == b)
        }
    }

    /// As where requests stay near, or only some have their model.
    @Test func keys_stayWhereTheyAre_whileAllElseIsExcluded() {
        var balancer = balancer(10)
        let near = [EndpointID("node-0:8501"), EndpointID("node-1:8501")]
        let others = Set(balancer.healthyEndpoints).subtracting(near)
        let requests = (0..<50 as Range<UInt64>).map { PickRequest(affinityKey: $0) }
        let places = requests.map { balancer.pick(for: $0, excluding: others, now: .zero) }
        #expect(Set(places).count == 2)
        for id in near { balancer.begin(20, at: id) }
        let busy = requests.map { balancer.pick(for: $0, excluding: others, now: .zero) }
        #expect(busy == places)
        // One that has more than its part of what these two have gives the next to the other.
        balancer.begin(20, at: near[0])
        #expect(balancer.pick(for: requests[0], excluding: others, now: .zero) == near[1])
    }

    @Test func picks_withoutAKey_areAtTheLessLoadedOfTwo() {
        var balancer = ConsistentHashing(seed: 0)
        balancer.addHealthy(a, b)
        balancer.begin(1, at: a)
        #expect(balancer.tally(50) == [b: 50])
        balancer.begin(1, at: b)
        let tally = balancer.tally(1000)
        #expect((400...600).contains(tally[a] ?? 0), "\(tally)")
    }

    @Test func endpointThatFails_losesItsKeysForAWhile() throws {
        var balancer = balancer(5)
        let request = PickRequest(affinityKey: 7)
        let (first, _) = try order(of: request, in: balancer)
        balancer.fail(first, now: .zero)
        #expect(balancer.pick(for: request, excluding: [], now: .seconds(1)) != first)
        #expect(balancer.pick(for: request, excluding: [], now: .seconds(120)) == first)
    }
}
