@testable import MartletTransport

/// A head that was accepted, read a second time: slowly, and by the letter of RFC 9112.
///
/// It shares no code with the parser, so that both are wrong in the same way only by chance.
struct PlainHead {
    let firstLine: String
    /// Names in lower case, values without the blanks around them.
    let fields: [(name: String, value: String)]

    /// Reads a head from its first line to the empty one.
    init(_ bytes: ArraySlice<UInt8>) throws(BrokenProperty) {
        var lines = try PlainHead.lines(bytes)
        try BrokenProperty.unless(
            lines.count >= 2 && lines.last?.isEmpty == true, "A head without its end was accepted")
        lines.removeLast()
        let first = lines.removeFirst()
        firstLine = String(decoding: first, as: UTF8.self)
        var fields: [(name: String, value: String)] = []
        for line in lines { fields.append(try PlainHead.field(line)) }
        self.fields = fields
    }

    /// What ends with CR LF; neither is anywhere else, and no other control character but the tab.
    private static func lines(
        _ bytes: ArraySlice<UInt8>
    ) throws(BrokenProperty) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var rest = bytes
        while let end = rest.firstIndex(of: 0x0D) {
            try BrokenProperty.unless(
                rest.dropFirst(end - rest.startIndex + 1).first == 0x0A, "A bare CR was accepted")
            let line = rest[..<end]
            for byte in line where byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw BrokenProperty("The byte \(byte) was accepted in a head")
            }
            lines.append(line)
            rest = rest[(end + 2)...]
        }
        try BrokenProperty.unless(rest.isEmpty, "A line without CR LF was accepted")
        return lines
    }

    static func field(
        _ line: ArraySlice<UInt8>
    ) throws(BrokenProperty) -> (name: String, value: String) {
        let text = String(decoding: line, as: UTF8.self)
        guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else {
            throw BrokenProperty("'\(text)' was accepted as a field")
        }
        let marks = "!#$%&'*+-.^_`|~".utf8
        let isToken = line[..<colon].allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: marks.contains(byte)
            }
        }
        try BrokenProperty.unless(isToken, "'\(text)' was accepted as a field")
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        var value = line[(colon + 1)...].drop(while: isBlank)
        while let last = value.last, isBlank(last) { value.removeLast() }
        return (
            String(decoding: line[..<colon], as: UTF8.self).lowercased(),
            String(decoding: value, as: UTF8.self)
        )
    }

    func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// How the end of the content is found, if in one way only (RFC 9112, section 6.3); `nil` where
    /// the head says nothing of it.
    func framing(isHTTP10: Bool) throws(BrokenProperty) -> HTTP1Framing? {
        let lengths = values("content-length")
        let codings = values("transfer-encoding")
        guard codings.isEmpty else {
            try BrokenProperty.unless(
                codings.count == 1 && codings[0].lowercased() == "chunked" && lengths.isEmpty
                    && !isHTTP10,
                "A length that can be read in two ways was accepted: \(codings), \(lengths)")
            return .chunked
        }
        guard let text = lengths.first else { return nil }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard lengths.count == 1, isNumber, let length = Int(text) else {
            throw BrokenProperty("A length that is no number was accepted: \(lengths)")
        }
        return length == 0 ? HTTP1Framing.none : .length(length)
    }
}
