import MartletConfiguration
import MartletTestKit
import Testing

@testable import MartletGateway

/// Files that are almost right, from the example.
@Suite("Traffic policy: hostile files")
struct PolicyFuzzTests {
    @Test func damagedFiles_areReadOrRefusedWithAPlace() throws {
        let example = Array(try repositoryFile("Examples/gateway/gateway.yaml").utf8)
        for seed in SimulationSeeds.first(150) {
            var generator = SeededGenerator(seed: seed)
            var bytes = example
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                damage(&bytes, &generator)
            }
            guard let text = String(validating: bytes, as: UTF8.self) else { continue }
            do {
                let policy = try readPolicy(text).policy
                #expect(!policy.pools.isEmpty && !policy.routes.isEmpty || text.isEmpty)
            } catch let error as ConfigurationError {
                #expect(!error.problems.isEmpty, "\(SimulationSeeds.replay(seed))")
                let hasPlace = error.problems.contains { $0.line != nil }
                #expect(hasPlace, "\(SimulationSeeds.replay(seed)): \(error)")
            }
        }
    }

    private func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        guard bytes.count > 40 else { return }
        let at = Int.random(in: 0..<bytes.count - 40, using: &generator)
        let length = Int.random(in: 1...40, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes.removeSubrange(at..<at + length)
        case 1: bytes.insert(contentsOf: bytes[at..<at + length], at: at)
        case 2: bytes[at] = UInt8.random(in: 0x20...0x7E, using: &generator)
        case 3:
            let odd = [
                "*checks", "&x ", "? ", "[", "{", "]", "- ", ": ", "'", "\"", "|", "!!int ", "-1",
            ]
            let word = odd[Int.random(in: 0..<odd.count, using: &generator)]
            bytes.insert(contentsOf: Array(word.utf8), at: at)
        default:
            // Two lines change places.
            let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            var order = Array(lines.indices)
            order.swapAt(
                Int.random(in: 0..<order.count, using: &generator),
                Int.random(in: 0..<order.count, using: &generator))
            bytes = Array(order.map { lines[$0] }.joined(separator: [0x0A]))
        }
    }
}
