import MartletCore
import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Sets of endpoints")
struct EndpointSetTests {
    private func endpoint(
        _ host: String, weight: Int = 1, zone: String? = nil
    ) -> DiscoveredEndpoint {
        DiscoveredEndpoint(
            address: UpstreamAddress(host: host, port: 1), weight: weight,
            locality: Locality(zone: zone))
    }

    @Test func set_holdsEachAddressOnceInOrder() {
        let set = EndpointSet([endpoint("b"), endpoint("a"), endpoint("b", weight: 5)])
        #expect(set.endpoints == [endpoint("a"), endpoint("b", weight: 5)])
        #expect(set.count == 2)
        #expect(set[EndpointID("b:1")]?.weight == 5)
        #expect(set[EndpointID("c:1")] == nil)
    }

    @Test(arguments: [(0, 1), (-5, 1), (Int.max, 1_000_000), (7, 7)])
    func weight_outOfRange_isBroughtIntoIt(given: Int, used: Int) {
        #expect(endpoint("a", weight: given).weight == used)
    }

    @Test func difference_namesWhatCameWentAndChanged() {
        let old = EndpointSet([
            endpoint("a"), endpoint("b"), endpoint("c", weight: 2), endpoint("d", zone: "x"),
        ])
        let new = EndpointSet([
            endpoint("e"), endpoint("d", zone: "y"), endpoint("c", weight: 3), endpoint("b"),
        ])
        let difference = EndpointSetDifference(from: old, to: new)
        #expect(difference.added == [endpoint("e")])
        #expect(difference.removed == [endpoint("a")])
        let before = [endpoint("c", weight: 2), endpoint("d", zone: "x")]
        let after = [endpoint("c", weight: 3), endpoint("d", zone: "y")]
        #expect(difference.changed.map(\.before) == before)
        #expect(difference.changed.map(\.after) == after)
        #expect(!difference.isEmpty)
    }

    @Test func difference_ofASetToItself_isEmpty() {
        let set = EndpointSet([endpoint("a"), endpoint("b", weight: 2)])
        #expect(EndpointSetDifference(from: set, to: set).isEmpty)
        #expect(EndpointSetDifference(from: EndpointSet(), to: EndpointSet()).isEmpty)
    }

    @Test func difference_appliedToTheOldSet_makesTheNewOne() {
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            let old = EndpointSet.random(&generator)
            let new = EndpointSet.random(&generator)
            let difference = EndpointSetDifference(from: old, to: new)
            let gone = Set(difference.removed.map(\.id))
            let kept = old.endpoints.filter { !gone.contains($0.id) }
            let made = EndpointSet(kept + difference.added + difference.changed.map(\.after))
            #expect(made == new, "\(SimulationSeeds.replay(seed))")
            #expect(difference.isEmpty == (old == new), "\(SimulationSeeds.replay(seed))")
            for change in difference.changed {
                #expect(old[change.before.id] == change.before, "\(SimulationSeeds.replay(seed))")
                #expect(change.before != change.after, "\(SimulationSeeds.replay(seed))")
            }
            for added in difference.added {
                #expect(old[added.id] == nil, "\(SimulationSeeds.replay(seed))")
            }
        }
    }
}

extension EndpointSet {
    /// A few endpoints out of a small world, so that sets have some in common.
    static func random(_ generator: inout SeededGenerator) -> EndpointSet {
        let zones: [String?] = [nil, "a", "b"]
        return EndpointSet(
            (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                DiscoveredEndpoint(
                    address: UpstreamAddress(
                        host: "node-\(Int.random(in: 0..<10, using: &generator))", port: 8501),
                    weight: Int.random(in: 1...2, using: &generator),
                    locality: Locality(
                        region: zones[Int.random(in: 0..<3, using: &generator)],
                        zone: zones[Int.random(in: 0..<3, using: &generator)]))
            })
    }
}
