/// Makes whole characters of the pieces of text that a model's tokens stand for.
///
/// A token may cut a character anywhere. What may still become a character is held back, at most
/// three bytes; what cannot is replaced by U+FFFD, one for each maximal subpart of an ill-formed
/// sequence (The Unicode Standard, section 3.9). So all output together is the same however the
/// text was cut.
struct UTF8Assembler: Sendable {
    /// U+FFFD in UTF-8.
    private static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

    /// The begin of a character whose end has not come.
    private var held: [UInt8] = []

    /// Starts with no text.
    init() {}

    /// Takes in a piece and appends to `output` what is whole.
    mutating func receive(_ piece: [UInt8], into output: inout [UInt8]) {
        if held.isEmpty, piece.allSatisfy({ $0 < 0x80 }) {
            output.append(contentsOf: piece)
            return
        }
        let bytes = held + piece
        held.removeAll(keepingCapacity: true)
        var index = 0
        while index < bytes.count {
            switch UTF8Assembler.character(of: bytes, at: index) {
            case .whole(let length):
                output.append(contentsOf: bytes[index..<(index + length)])
                index += length
            case .invalid(let length):
                output.append(contentsOf: UTF8Assembler.replacement)
                index += length
            case .unfinished:
                held.append(contentsOf: bytes[index...])
                return
            }
        }
    }

    /// Ends the text: what was held back will never be a character.
    mutating func finish(into output: inout [UInt8]) {
        if !held.isEmpty { output.append(contentsOf: UTF8Assembler.replacement) }
        held.removeAll(keepingCapacity: true)
    }

    // MARK: Characters

    private enum Character {
        case whole(Int)
        /// So many bytes, which no more can make a character.
        case invalid(Int)
        /// All bytes that are left begin a character.
        case unfinished
    }

    private static func character(of bytes: [UInt8], at start: Int) -> Character {
        let lead = bytes[start]
        guard lead >= 0x80 else { return .whole(1) }
        guard let (length, second) = form(lead) else { return .invalid(1) }
        for offset in 1..<length {
            guard start + offset < bytes.count else { return .unfinished }
            let allowed = offset == 1 ? second : 0x80...0xbf
            guard allowed.contains(bytes[start + offset]) else { return .invalid(offset) }
        }
        return .whole(length)
    }

    /// How long a character is that begins with `lead`, and what its second byte may be; the
    /// table of well-formed sequences in The Unicode Standard.
    private static func form(_ lead: UInt8) -> (length: Int, second: ClosedRange<UInt8>)? {
        switch lead {
        case 0xc2...0xdf: (2, 0x80...0xbf)
        case 0xe0: (3, 0xa0...0xbf)
        case 0xe1...0xec, 0xee...0xef: (3, 0x80...0xbf)
        case 0xed: (3, 0x80...0x9f)
        case 0xf0: (4, 0x90...0xbf)
        case 0xf1...0xf3: (4, 0x80...0xbf)
        case 0xf4: (4, 0x80...0x8f)
        default: nil
        }
    }
}
