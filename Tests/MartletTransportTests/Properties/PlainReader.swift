@testable import MartletTransport

/// Reads messages a second time, to see that what was told of them is what was sent, byte by byte.
struct PlainReader {
    /// What is not read yet.
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// The next head, if it is there as a whole; empty lines in front of it are no part of it.
    mutating func nextHead() throws(BrokenProperty) -> (bytes: [UInt8], head: PlainHead)? {
        while rest.starts(with: [0x0D, 0x0A]) { rest = rest.dropFirst(2) }
        var end = rest.startIndex
        let mark: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        while end < rest.endIndex, rest[end] != 0x0D || !rest[end...].starts(with: mark) {
            end += 1
        }
        guard end < rest.endIndex else { return nil }
        let bytes = rest[..<(end + 4)]
        rest = rest[(end + 4)...]
        return (Array(bytes), try PlainHead(bytes))
    }

    /// The content of a length, or as much of it as there is.
    mutating func content(length: Int) -> PlainContent {
        let bytes = rest.prefix(length)
        rest = rest.dropFirst(bytes.count)
        return PlainContent(bytes: Array(bytes), isComplete: bytes.count == length)
    }

    /// The content in chunks (RFC 9112, section 7.1), up to its end or to what is no chunk.
    mutating func chunks() -> PlainContent {
        var content = PlainContent()
        while let line = takeLine() {
            let digits = line.prefix { $0 != UInt8(ascii: ";") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0
            else { return content }
            guard size > 0 else {
                readTrailers(of: &content)
                return content
            }
            let chunk = rest.prefix(size)
            content.bytes += chunk
            rest = rest.dropFirst(chunk.count)
            guard rest.starts(with: [0x0D, 0x0A]) else { return content }
            rest = rest.dropFirst(2)
        }
        return content
    }

    private mutating func readTrailers(of content: inout PlainContent) {
        while let line = takeLine() {
            if line.isEmpty {
                content.isComplete = true
                return
            }
            content.trailers += line + [0x0D, 0x0A]
        }
    }

    /// The rest of all bytes.
    mutating func content() -> PlainContent {
        content(length: rest.count)
    }

    private mutating func takeLine() -> ArraySlice<UInt8>? {
        let end = rest.indices.dropLast().first { rest[$0] == 0x0D && rest[$0 + 1] == 0x0A }
        guard let end else { return nil }
        defer { rest = rest[(end + 2)...] }
        return rest[..<end]
    }
}

/// What a message carries.
struct PlainContent: Equatable {
    var bytes: [UInt8] = []
    var trailers: [UInt8] = []
    var isComplete = false

    /// Sees to it that this is what was told of, which may be less where it has not come as a whole.
    func check(told: PlainContent, of message: String) throws(BrokenProperty) {
        let isRight =
            told.isComplete
            ? told == self : bytes.starts(with: told.bytes) && told.trailers.isEmpty
        try BrokenProperty.unless(isRight, "\(message) carries \(self), told was \(told)")
    }
}
