/// Finds what an answer of OpenAI's API has cost, be it whole or a stream of events, as it passes.
struct UsageReader: Sendable {
    /// Where in a line of a stream the next byte is.
    private enum Line {
        /// So many bytes of `data:` have come, and nothing else.
        case start(Int)
        case data
        case other
    }

    private static let prefix = [UInt8]("data:".utf8)

    /// Whether the answer is a stream of events (WHATWG HTML, section 9.2).
    let isStream: Bool
    /// Events with an object, so far.
    private(set) var events = 0

    private var scanner = UsageScanner()
    private var line = Line.start(0)

    /// Begins an answer.
    init(isStream: Bool) { self.isStream = isStream }

    /// The model that has answered, where it has said so.
    var model: String? { scanner.model }

    /// The cost: what the answer says itself, by the last `usage` that it has.
    ///
    /// A stream has none where its client has not asked for it (`stream_options.include_usage`), or
    /// has left; then each event counts as a token, as nodes send one for each piece of text. A prompt
    /// of which nothing is said counts as a token for each four bytes of the request, which is usual
    /// for English text.
    func spend(requestBytes: Int) -> TokenSpend {
        scanner.spend
            ?? TokenSpend(
                input: min(max(0, requestBytes) / 4 + 1, TokenSpend.most),
                output: min(events, TokenSpend.most))
    }

    /// Takes the next bytes in.
    mutating func take(_ bytes: some Sequence<UInt8>) {
        if isStream {
            for byte in bytes { takeOfStream(byte) }
        } else {
            for byte in bytes { scanner.take(byte) }
        }
    }

    private mutating func takeOfStream(_ byte: UInt8) {
        guard byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") else {
            line = .start(0)
            return
        }
        switch line {
        case .start(let count):
            guard byte == UsageReader.prefix[count] else {
                line = .other
                return
            }
            line = count + 1 < UsageReader.prefix.count ? .start(count + 1) : .data
            if case .data = line { scanner.begin() }
        case .data:
            let hadObject = scanner.hasObject
            scanner.take(byte)
            if scanner.hasObject, !hadObject { events += 1 }
        case .other: break
        }
    }
}
