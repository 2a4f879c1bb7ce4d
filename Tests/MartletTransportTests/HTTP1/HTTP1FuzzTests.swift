import MartletTestKit
import Testing

@testable import MartletTransport

@Suite("HTTP/1.1 connections under mutated bytes")
struct HTTP1FuzzTests {
    /// Bytes of valid and broken requests, mixed and damaged.
    private func bytes(_ random: inout SeededGenerator) -> [UInt8] {
        var all: [UInt8] = []
        for _ in 0..<Int.random(in: 1..<6, using: &random) {
            // The first fault ends a connection: most are good.
            let isGood = Int.random(in: 0..<4, using: &random) > 0
            let table = isGood ? HTTP1ConformanceTables.accepted : HTTP1ConformanceTables.refused
            all += table.randomElement(using: &random)?.bytes ?? []
        }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            let place = Int.random(in: 0..<all.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: all[place] = UInt8.random(in: 0...255, using: &random)
            case 1: all[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: all.remove(at: place)
            case 3: all.insert(UInt8.random(in: 0...255, using: &random), at: place)
            case 4:
                all.insert(
                    contentsOf: "\r\n\t :,;".utf8.shuffled(using: &random).prefix(1), at: place)
            default:
                let part = all[place...].prefix(Int.random(in: 1..<60, using: &random))
                all.insert(contentsOf: part, at: place)
            }
        }
        return all
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytes_cutAnywhere_areReadTheSame(part: UInt64) {
        for seed in SimulationSeeds.first(4000) where seed % 8 == part {
            var random = SeededGenerator(seed: seed)
            let all = bytes(&random)
            let whole = HTTP1Dialogue.after(all)
            var pieces = HTTP1Dialogue()
            var rest = all[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1..<80, using: &random))
                rest = rest.dropFirst(piece.count)
                pieces.receive(Array(piece))
            }
            let isSame =
                whole.events == pieces.events
                && whole.connection.isClosing == pieces.connection.isClosing
                && whole.statuses.filter { $0 != 100 } == pieces.statuses.filter { $0 != 100 }
            #expect(
                isSame,
                "\(SimulationSeeds.replay(seed)): \(whole.events) and \(pieces.events)")
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func anyBytes_leaveTheConnectionInAValidState(part: UInt64) {
        for seed in SimulationSeeds.first(2000) where seed % 4 == part {
            var random = SeededGenerator(seed: seed)
            do {
                try HTTP1AnyApplication.check(bytes(&random), seed: seed)
            } catch {
                Issue.record("\(SimulationSeeds.replay(seed)): \(error)")
            }
        }
    }
}
