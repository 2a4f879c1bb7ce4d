/// How far a stream of events has come (WHATWG HTML, section 9.2), by its bytes in whatever pieces.
struct EventProgress: Sendable {
    private static let field = [UInt8]("data:".utf8)

    /// Lines with data that have begun: comments and other fields tell of no progress.
    private(set) var dataLines = 0

    /// Whether another event may follow what has come.
    private(set) var isBetweenEvents = true

    /// So many bytes of `data:` have come in the line at hand; `nil` where it is another line.
    private var matched: Int? = 0
    private var isLineEmpty = true
    private var followsReturn = false

    /// Takes the next bytes in.
    mutating func take(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { take(byte) }
    }

    private mutating func take(_ byte: UInt8) {
        let isSecondOfTwo = followsReturn && byte == UInt8(ascii: "\n")
        followsReturn = byte == UInt8(ascii: "\r")
        guard !isSecondOfTwo else { return }
        guard byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") else {
            isBetweenEvents = isLineEmpty
            isLineEmpty = true
            matched = 0
            return
        }
        isLineEmpty = false
        isBetweenEvents = false
        guard let count = matched else { return }
        guard byte == EventProgress.field[count] else {
            matched = nil
            return
        }
        matched = count + 1 < EventProgress.field.count ? count + 1 : nil
        if matched == nil { dataLines += 1 }
    }
}
