import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Replies of Redis under mutated bytes")
struct RedisReplyFuzzTests {
    /// Valid replies, damaged.
    private func bytes(_ random: inout SeededGenerator) -> [UInt8] {
        var all: [UInt8] = []
        for _ in 0..<Int.random(in: 1..<8, using: &random) {
            let valid = RedisReplyReaderTests.valid.randomElement(using: &random)
            all += Array((valid?.text ?? "").utf8)
        }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            let place = Int.random(in: 0..<all.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: all[place] = UInt8.random(in: 0...255, using: &random)
            case 1: all[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2 where all.count > 1: all.remove(at: place)
            case 3:
                all.insert(
                    contentsOf: "\r\n*%|$-019".utf8.shuffled(using: &random).prefix(2), at: place)
            case 4:
                let types = Array("+-:$*_#,(!=%~>|".utf8)
                all[place] = types.randomElement(using: &random) ?? 0
            default:
                let part = all[place...].prefix(Int.random(in: 1..<30, using: &random))
                all.insert(contentsOf: part, at: place)
            }
        }
        return all
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytes_cutAnywhere_areReadTheSame(part: UInt64) {
        var limits = RedisReplyLimits()
        limits.bytesMax = 4096
        limits.lineBytesMax = 256
        var faults = 0
        for seed in SimulationSeeds.first(16_000) where seed % 8 == part {
            var random = SeededGenerator(seed: seed)
            let all = bytes(&random)
            var pieces: [[UInt8]] = []
            var rest = all[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1..<12, using: &random))
                rest = rest.dropFirst(piece.count)
                pieces.append(Array(piece))
            }
            let whole = redisReplies([all], limits: limits)
            let cut = redisReplies(pieces, limits: limits)
            // Through their text, as a NaN is not equal to itself.
            let isSame = "\(whole.replies)" == "\(cut.replies)" && whole.fault == cut.fault
            if !isSame {
                Issue.record("\(SimulationSeeds.replay(seed)): \(whole) and \(cut)")
            }
            if whole.fault != nil { faults += 1 }
        }
        // Otherwise nothing was damaged, or everything.
        #expect(SimulationSeeds.first(2).count == 1 || (200..<1800).contains(faults))
    }

    @Test func randomBytes_endInAFaultOrWait() {
        for seed in SimulationSeeds.first(2000) {
            var random = SeededGenerator(seed: seed)
            let all = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
            let (replies, _) = redisReplies([all])
            if replies.count > 20 { Issue.record("\(SimulationSeeds.replay(seed)): \(replies)") }
        }
    }
}
