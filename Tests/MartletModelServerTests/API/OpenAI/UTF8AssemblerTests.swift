import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Characters from pieces")
struct UTF8AssemblerTests {
    private func outputs(_ pieces: [[UInt8]]) -> [[UInt8]] {
        var assembler = UTF8Assembler()
        var outputs: [[UInt8]] = []
        for piece in pieces {
            var output: [UInt8] = []
            assembler.receive(piece, into: &output)
            outputs.append(output)
        }
        var rest: [UInt8] = []
        assembler.finish(into: &rest)
        return outputs + [rest]
    }

    @Test func characterThatIsCut_waitsForItsEnd() {
        let euro = Array("€".utf8)
        #expect(
            outputs([[97, euro[0]], [euro[1]], [euro[2], 98]]) == [[97], [], euro + [98], []])
        #expect(outputs([[euro[0]], []]) == [[], [], [0xef, 0xbf, 0xbd]])
        #expect(outputs([[euro[0]], [97]]) == [[], [0xef, 0xbf, 0xbd, 97], []])
    }

    @Test func nothingThatIsWhole_isHeldBack() {
        var assembler = UTF8Assembler()
        for scalar in ["a", "é", "€", "😀"] {
            var output: [UInt8] = []
            for byte in Array(scalar.utf8) { assembler.receive([byte], into: &output) }
            #expect(output == Array(scalar.utf8))
        }
    }

    /// The standard library repairs a whole text; the pieces together must give the same.
    @Test func anyBytesHoweverCut_giveWhatTheWholeGives() {
        let interesting: [UInt8] = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
            0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ]
        for seed in SimulationSeeds.first(3000) {
            var random = SeededGenerator(seed: seed)
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...24, using: &random) {
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.append(interesting.randomElement(using: &random) ?? 0)
                case 1:
                    bytes += Array(
                        ["a", "é", "€", "😀"].randomElement(using: &random)?.utf8 ?? "".utf8)
                default: bytes.append(UInt8(truncatingIfNeeded: random.next()))
                }
            }
            let pieces = OpenAISplits.random(bytes, using: &random)
            #expect(
                outputs(pieces).flatMap(\.self)
                    == Array(String(decoding: bytes, as: UTF8.self).utf8),
                "\(bytes) in \(pieces), \(SimulationSeeds.replay(seed))")
            for output in outputs(pieces) {
                #expect(String(validating: output, as: UTF8.self) != nil)
            }
        }
    }
}

/// Ways to cut bytes into pieces.
enum OpenAISplits {
    /// Pieces of 0 to 4 bytes that together are `bytes`.
    static func random(
        _ bytes: [UInt8], using random: inout SeededGenerator
    ) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 0...4, using: &random)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
