import MartletTestKit
import Testing

@testable import MartletTransport

@Suite("HTTP/2 connections under mutated bytes")
struct HTTP2FuzzTests {
    private static let corpus: [[UInt8]] =
        ConformanceTables.all.map(\.bytes.bytes) + [
            (ClientBytes.headers(1, HeaderSamples.post + [("content-type", "application/grpc")])
                .bytes + ClientBytes.data(1, [0, 0, 0, 0, 1, 9], end: true).bytes)
        ]

    /// Bytes of valid and broken exchanges, mixed and damaged.
    private func bytes(_ random: inout SeededGenerator) -> [UInt8] {
        var all = HTTP2Protocol.preface + ClientBytes.settings().bytes
        for _ in 0..<Int.random(in: 1..<8, using: &random) {
            all += HTTP2FuzzTests.corpus.randomElement(using: &random) ?? []
        }
        for _ in 0..<Int.random(in: 0..<6, using: &random) {
            // The greeting is left alone as a rule, or nothing else would be tried.
            let isAnywhere = Int.random(in: 0..<10, using: &random) == 0
            let place = Int.random(in: (isAnywhere ? 0 : 33)..<all.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: all[place] = UInt8.random(in: 0...255, using: &random)
            case 1: all[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: all.remove(at: place)
            case 3: all.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default:
                let part = all[place...].prefix(Int.random(in: 1..<60, using: &random))
                all.insert(contentsOf: part, at: place)
            }
        }
        return all
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytes_leaveTheConnectionInAValidState(part: UInt64) {
        for seed in SimulationSeeds.first(2000) where seed % 8 == part {
            var random = SeededGenerator(seed: seed)
            do {
                try HTTP2AnyApplication.check(bytes(&random), seed: seed)
            } catch {
                Issue.record("\(SimulationSeeds.replay(seed)): \(error)")
            }
        }
    }
}
