import MartletCore
import MartletTensors
import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("JSON written into bytes")
struct JSONBytesTests {
    private func written(_ write: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        write(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func specialCharacters_areEscaped() {
        #expect(
            written { $0.appendJSON("a\"\\\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}é") }
                == #""a\"\\\b\t\n\f\r\u0000\u001f"# + "\u{7f}é\"")
        #expect(written { $0.appendJSON("") } == "\"\"")
        #expect(written { $0.appendJSON(nil as String?) } == "null")
        #expect(written { $0.appendJSON(lossy: [0x61, 0xff]) } == "\"a\u{fffd}\"")
    }

    @Test func anyText_readsBackEqual() throws {
        let alphabet: [Unicode.Scalar] = ["\"", "\\", "/", "\n", "\u{1}", "\u{1f}", "é", "€"]
        for seed in SimulationSeeds.first(300) {
            var random = SeededGenerator(seed: seed)
            var text = ""
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                if Bool.random(using: &random), let scalar = alphabet.randomElement(using: &random)
                {
                    text.unicodeScalars.append(scalar)
                } else if let scalar = Unicode.Scalar(
                    UInt32.random(in: 0...0x10ffff, using: &random))
                {
                    text.unicodeScalars.append(scalar)
                }
            }
            var bytes: [UInt8] = []
            bytes.appendJSON(text)
            var same: [UInt8] = []
            same.appendJSON(utf8: Array(text.utf8))
            #expect(bytes == same)
            let read = try OpenAISupport.parse(Array("[".utf8) + bytes + Array("]".utf8))
            guard case .text(let back)? = read.at("0") else {
                Issue.record("\(SimulationSeeds.replay(seed))")
                continue
            }
            #expect(Array(back.utf8) == Array(text.utf8), "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func numbers_areJSON() {
        for number in [0, 9, 10, -1, Int.max, Int.min] {
            #expect(written { $0.appendJSON(number) } == "\(number)")
        }
        #expect(written { $0.appendJSON(Float(0.1)) } == "0.1")
        #expect(written { $0.appendJSON(-2.0) } == "-2.0")
        #expect(written { $0.appendJSON(Float.nan) } == "null")
        #expect(written { $0.appendJSON(-Double.infinity) } == "null")
        #expect(written { $0.appendJSON(true) } == "true")
    }

    @Test func parsedValue_isWrittenCompactlyAndInOrder() throws {
        let json = #"{"b":[1,2.5,"x",null,true],"a":{},"c":[{"d":-3}],"a\n":[]}"#
        let value = try OpenAISupport.parse(Array(json.utf8))
        #expect(written { $0.appendJSON(value) } == json)
    }
}
