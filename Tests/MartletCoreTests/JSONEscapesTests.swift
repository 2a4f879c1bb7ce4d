import Foundation
import MartletCore
import Testing

@Suite("Strings of JSON")
struct JSONEscapesTests {
    private func written(_ text: String, uppercase: Bool = false) -> String {
        var bytes: [UInt8] = []
        bytes.append(jsonString: text, uppercase: uppercase)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func specialCharacters_areEscaped() {
        #expect(
            written("\"\\/\u{8}\t\n\u{C}\r\u{0}\u{F}\u{1F}\u{7F}é😀")
                == #""\"\\/\b\t\n\f\r\u0000\u000f\u001f"# + "\u{7F}é😀\"")
        #expect(written("a\u{1F}", uppercase: true) == #""a\u001F""#)
    }

    @Test func text_isReadBackByAnotherParser() throws {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: (0..<0x300).compactMap { Unicode.Scalar($0 as Int) })
        let message = String(text)
        let read = try JSONDecoder().decode([String].self, from: Data("[\(written(message))]".utf8))
        #expect(read.first.map { Array($0.utf8) } == Array(message.utf8))
    }
}
