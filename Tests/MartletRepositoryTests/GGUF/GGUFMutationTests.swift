import MartletTestKit
import Testing

@testable import MartletRepository

@Suite("GGUF files with random changes")
struct GGUFMutationTests {
    /// Values at which counts, lengths and places go wrong.
    private static let sharp: [UInt64] = [
        0, 1, 7, 8, 31, 32, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 32,
        1 << 40, 1 << 61, UInt64(Int.max) - 31, UInt64(Int.max), 1 << 63, .max - 31, .max,
    ]

    private static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = .random(in: 0...255, using: &random)
            case 2:
                let width = [2, 4, 8].randomElement(using: &random) ?? 8
                let value = sharp.randomElement(using: &random) ?? 0
                for (index, byte) in little(value).prefix(width).enumerated()
                where place + index < bytes.count { bytes[place + index] = byte }
            case 3: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
            case 4: bytes.removeSubrange(place..<min(place + 8, bytes.count))
            case 5: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
            default:
                let other = Int.random(in: 0..<bytes.count, using: &random)
                bytes.swapAt(place, other)
            }
        }
        return bytes
    }

    /// Whatever a file says, it ends in a description or a fault, and takes no memory that its own
    /// bytes do not stand for.
    @Test func aChangedFile_isReadOrRefused_withinItsOwnSize() throws {
        let sound = GGUFSample.model.bytes()
        var refused = 0
        let seeds = SimulationSeeds.first(8000)
        for seed in seeds {
            var random = SeededGenerator(seed: seed)
            let bytes = Self.mutate(sound, &random)
            let source = MemoryBytes(bytes)
            do {
                let file = try GGUFFile(source)
                let kept =
                    file.metadata.values.keys.map(\.utf8.count).reduce(0, +)
                    + file.tensors.map(\.name.utf8.count).reduce(0, +)
                #expect(kept <= bytes.count, "\(SimulationSeeds.replay(seed))")
                for tensor in file.tensors {
                    #expect(
                        tensor.offset + tensor.byteCount + file.headerBytes <= bytes.count,
                        "\(SimulationSeeds.replay(seed))")
                }
                try describe(file)
            } catch is GGUFFault {
                refused += 1
            }
            #expect(
                source.largestRead <= max(bytes.count, 1) && source.readBytes <= 3 * bytes.count,
                "\(SimulationSeeds.replay(seed))")
        }
        // Both ways are taken, or the changes are too great or too small to tell anything.
        if seeds.count > 1 { #expect((seeds.count / 4..<seeds.count).contains(refused)) }
    }

    private func describe(_ file: GGUFFile) throws {
        let architecture = try file.metadata.text("general.architecture") ?? ""
        let sizes = try GGUFHyperparameters(
            file.metadata, architecture: architecture, limits: GGUFLimits())
        #expect(sizes.keyValueBytesPerToken >= 0)
        _ = try GGUFVocabulary(file.metadata, architecture: architecture)
    }
}
