import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Services in DNS")
struct ServiceRecordTests {
    private func record(
        _ target: String, priority: Int = 0, weight: Int = 1, port: Int = 1
    ) -> ServiceRecord {
        ServiceRecord(priority: priority, weight: weight, port: port, target: target)
    }

    @Test func groups_areInOrderOfPriority_withoutWhatNamesNothing() {
        let groups = ServiceRecord.groups(of: [
            record("c", priority: 7), record("a", priority: 65535), record("b", priority: 7),
            record("", priority: 1), record("d", priority: 2, port: 0), record("c", priority: 7),
        ])
        #expect(groups.map { $0.map(\.target) } == [["b", "c"], ["a"]])
    }

    @Test func weights_areThoseOfTheRecords() {
        let set = ServiceRecord.endpoints(
            of: [record("a", weight: 3), record("b", weight: 1), record("c", weight: 0)],
            addresses: ["a": ["10.0.0.1"], "b": ["10.0.0.2"], "c": ["10.0.0.3"]])
        #expect(set.words == ["10.0.0.1:1 30", "10.0.0.2:1 10", "10.0.0.3:1 1"])
    }

    @Test func weightsOfZeroAlone_areEqual() {
        let set = ServiceRecord.endpoints(
            of: [record("a", weight: 0), record("b", weight: 0)],
            addresses: ["a": ["10.0.0.1"], "b": ["10.0.0.2"]])
        #expect(set.words == ["10.0.0.1:1 1", "10.0.0.2:1 1"])
    }

    @Test func addressesOfATarget_shareItsWeight() {
        let set = ServiceRecord.endpoints(
            of: [record("a", weight: 4), record("b", weight: 4)],
            addresses: ["a": ["10.0.0.1", "2001:db8::1"], "b": ["10.0.0.2"]])
        #expect(set.words == ["10.0.0.1:1 20", "10.0.0.2:1 40", "2001:db8::1:1 20"])
    }

    @Test func recordsThatMeet_addUp_andPortsKeepApart() {
        let set = ServiceRecord.endpoints(
            of: [record("a", weight: 2), record("alias", weight: 3), record("a", port: 2)],
            addresses: ["a": ["10.0.0.1"], "alias": ["10.0.0.1"]])
        #expect(set.words == ["10.0.0.1:1 50", "10.0.0.1:2 10"])
    }

    @Test func targetsWithoutAddresses_areNoEndpoints() {
        let set = ServiceRecord.endpoints(
            of: [record("a"), record("b")], addresses: ["a": [], "c": ["10.0.0.1"]])
        #expect(set.count == 0)
    }

    @Test func weights_keepTheirOrderAndRange() {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 1..<20, using: &generator)
            let records = (0..<count).map { number in
                record("t\(number)", weight: Int.random(in: 0...65535, using: &generator))
            }
            let addresses = records.map { ($0.target, ["10.0.0.\($0.target.dropFirst())"]) }
            let set = ServiceRecord.endpoints(
                of: records, addresses: Dictionary(uniqueKeysWithValues: addresses))
            #expect(set.count == count, "\(SimulationSeeds.replay(seed))")
            for record in records {
                let id = EndpointID("10.0.0.\(record.target.dropFirst()):1")
                let weight = record.weight == 0 ? 1 : record.weight * 10
                #expect(set[id]?.weight == weight, "\(SimulationSeeds.replay(seed))")
            }
        }
    }
}
