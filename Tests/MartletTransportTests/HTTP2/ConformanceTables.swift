@testable import MartletTransport

/// The situations of RFC 9113 and RFC 7541, section by section.
enum ConformanceTables {
    static let all = exchanges + streams + frames + settings + windows + messages + compression

    static func fields(_ changes: (String, String)...) -> [(String, String)] {
        HeaderSamples.get + changes
    }

    static func without(_ name: String) -> [(String, String)] {
        HeaderSamples.get.filter { $0.0 != name }
    }

    private static let block = FieldBlock(HeaderSamples.get).bytes

    // MARK: What has to work

    static let exchanges: [ConformanceCase] = [
        .init("8.1", "a request without content", [.get(1)], .answered([1])),
        .init("8.1", "HEAD", [.headers(1, HeaderSamples.head, end: true)], .answered([1])),
        .init("8.1", "content", [.headers(1), .data(1, end: true)], .answered([1])),
        .init(
            "8.1", "content in several frames",
            [.headers(1), .data(1), .data(1), .data(1, [], end: true)], .answered([1])),
        .init(
            "8.1", "trailers",
            [.headers(1), .data(1), .headers(1, [("a", "b")], end: true)], .answered([1])),
        .init(
            "6.1", "padding", [.headers(1), .frame(0, 9, stream: 1, [2, 5, 0, 0])], .answered([1])),
        .init(
            "6.1", "nothing but padding before the end",
            [.headers(1), .data(1), .frame(0, 9, stream: 1, [2, 0, 0])], .answered([1])),
        .init(
            "6.2", "a padded block", [.frame(1, 0xD, stream: 1, [3] + block + [0, 0, 0])],
            .answered([1])),
        .init(
            "6.2", "a block with priority",
            [.frame(1, 0x25, stream: 1, [0, 0, 0, 0, 15] + block)], .answered([1])),
        .init(
            "6.2", "a padded block with priority",
            [.frame(1, 0x2D, stream: 1, [1, 0x80, 0, 0, 0, 255] + block + [0])], .answered([1])),
        .init(
            "6.10", "a continued block",
            [
                .block(1, Array(block.prefix(3)), whole: false),
                .continuation(1, Array(block.dropFirst(3))),
            ], .answered([1])),
        .init(
            "6.10", "a block continued often",
            [
                .block(1, Array(block.prefix(1)), whole: false),
                .continuation(1, Array(block.dropFirst(1).prefix(1)), whole: false),
                .continuation(1, [], whole: false),
                .continuation(1, Array(block.dropFirst(2))),
            ], .answered([1])),
        .init("5.1.1", "numbers left out", [.get(1), .get(9), .get(11)], .answered([1, 9, 11])),
        .init(
            "5.1", "two at once",
            [.headers(1), .headers(3), .data(3, end: true), .data(1, end: true)],
            .answered([1, 3])),
        .init(
            "6.3", "PRIORITY of an idle stream, then used", [.priority(5), .get(5)], .answered([5])),
        .init("6.3", "PRIORITY on another", [.headers(1), .priority(1, on: 7)], .silence),
        .init(
            "6.3", "PRIORITY that excludes",
            [.headers(1), .frame(2, stream: 1, [0x80, 0, 0, 7, 0])],
            .silence),
        .init("6.3", "PRIORITY of a higher idle stream", [.priority(9), .get(3)], .answered([3])),
        .init(
            "6.3", "PRIORITY of a closed stream", [.get(1), .priority(1), .get(3)], .answered([3])),
        .init(
            "6.3", "PRIORITY of a half-closed one", [.get(1), .priority(1)], .silence,
            answers: false),
        .init(
            "6.9", "WINDOW_UPDATE of a half-closed one", [.get(1), .window(1, 5)], .silence,
            answers: false),
        .init(
            "6.9", "WINDOW_UPDATE of a closed one", [.get(1), .window(1, 5), .get(3)],
            .answered([3])),
        .init("6.9", "WINDOW_UPDATE of all", [.window(0, 5), .get(1)], .answered([1])),
        .init("6.9", "WINDOW_UPDATE of one", [.headers(1), .window(1, 5)], .silence),
        .init("6.4", "RST_STREAM of an open one", [.headers(1), .reset(1)], .silence),
        .init(
            "6.4", "RST_STREAM of a half-closed one", [.get(1), .reset(1)], .silence, answers: false
        ),
        .init("6.4", "RST_STREAM of a closed one", [.get(1), .reset(1), .get(3)], .answered([3])),
        .init("6.4", "RST_STREAM twice", [.headers(1), .reset(1), .reset(1)], .silence),
        .init("6.7", "PING", [.ping(5)], .line("PING ack 5")),
        .init("6.7", "an answer to no PING", [.ping(5, ack: true)], .silence),
        .init(
            "6.7", "a PING between HEADERS and DATA", [.headers(1), .ping(6), .data(1, end: true)],
            .line("PING ack 6")),
        .init(
            "6.8", "GOAWAY while a request is open", [.headers(1), .goAway(), .data(1, end: true)],
            .answered([1])),
        .init("6.5", "SETTINGS", [.settings([(3, 100)])], .line("SETTINGS ack")),
        .init("6.5.3", "an answer to no SETTINGS", [.settingsAck], .silence),
        .init(
            "4.1", "a frame of an unknown type", [.frame(0x16, 0xFF, stream: 0, [1, 2, 3])],
            .silence),
        .init(
            "4.1", "an unknown type on a stream", [.frame(0xFE, stream: 1, [1]), .get(1)],
            .answered([1])),
        .init(
            "4.1", "unknown flags", [.frame(6, 0x16, [0, 0, 0, 0, 0, 0, 0, 3])], .line("PING ack 3")
        ),
        .init(
            "4.1", "the reserved bit",
            [.frame(6, 0, stream: 0x8000_0000, [0, 0, 0, 0, 0, 0, 0, 4])], .line("PING ack 4")),
        .init(
            "4.2", "16384 bytes of DATA",
            [.headers(1), .data(1, [UInt8](repeating: 0, count: 16384), end: true)],
            .answered([1])),
        .init("7", "GOAWAY with an unknown code", [.goAway(code: 0xFF), .get(1)], .answered([1])),
        .init(
            "7", "RST_STREAM with an unknown code", [.headers(1), .reset(1, code: 0xFF)], .silence),
        .init(
            "5.5", "an unknown frame between requests",
            [.get(1), .frame(0x20, stream: 1, [0]), .get(3)], .answered([1, 3])),
    ]

    // MARK: Streams

    static let streams: [ConformanceCase] = [
        .init("5.1", "idle: DATA", [.data(1)], .connection(.protocolError)),
        .init("5.1", "idle: RST_STREAM", [.reset(1)], .connection(.protocolError)),
        .init("5.1", "idle: WINDOW_UPDATE", [.window(1, 5)], .connection(.protocolError)),
        .init("5.1", "idle: CONTINUATION", [.continuation(1, block)], .connection(.protocolError)),
        .init(
            "5.1", "half closed: DATA", [.get(1), .data(1)], .stream(1, .streamClosed),
            answers: false),
        .init(
            "5.1", "half closed: HEADERS", [.get(1), .get(1)], .stream(1, .streamClosed),
            answers: false),
        .init(
            "5.1", "half closed: CONTINUATION", [.get(1), .continuation(1, block)],
            .connection(.protocolError), answers: false),
        .init(
            "5.1", "half closed by data: DATA", [.headers(1), .data(1, end: true), .data(1)],
            .stream(1, .streamClosed), answers: false),
        .init("5.1", "reset: DATA", [.headers(1), .reset(1), .data(1)], .stream(1, .streamClosed)),
        .init(
            "5.1", "reset: HEADERS", [.headers(1), .reset(1), .get(1)], .connection(.streamClosed)),
        .init(
            "5.1", "reset: CONTINUATION", [.headers(1), .reset(1), .continuation(1, block)],
            .connection(.protocolError)),
        .init("5.1", "closed: DATA", [.get(1), .data(1)], .connection(.streamClosed)),
        .init("5.1", "closed: HEADERS", [.get(1), .get(1)], .connection(.streamClosed)),
        .init(
            "5.1", "closed: CONTINUATION", [.get(1), .continuation(1, block)],
            .connection(.protocolError)),
        .init(
            "5.1", "reset by us: DATA that was on its way",
            [.headers(1, fields(("te", "x"))), .data(1), .data(1, end: true)],
            .stream(1, .protocolError)),
        .init(
            "5.1", "reset by us: trailers that were on their way",
            [.headers(1, fields(("te", "x"))), .headers(1, [("a", "b")], end: true)],
            .stream(1, .protocolError)),
        .init("5.1.1", "an even number", [.get(2)], .connection(.protocolError)),
        .init(
            "5.1.1", "a number lower than the last", [.get(5), .get(3)], .connection(.protocolError)
        ),
        .init(
            "5.1.1", "WINDOW_UPDATE of an even number", [.window(2, 1)], .connection(.protocolError)
        ),
        .init(
            "5.3.1", "HEADERS that depend on themselves",
            [.frame(1, 0x25, stream: 1, [0, 0, 0, 1, 15] + block)], .stream(1, .protocolError)),
        .init(
            "5.3.1", "PRIORITY that depends on itself", [.headers(1), .priority(1, on: 1)],
            .stream(1, .protocolError)),
        .init(
            "5.3.1", "PRIORITY of an idle stream on itself", [.priority(3, on: 3)],
            .connection(.protocolError)),
        .init(
            "5.5", "an unknown frame inside a block",
            [.block(1, block, whole: false), .frame(0x16, stream: 0)], .connection(.protocolError)),
    ]

    // MARK: Frames

    static let frames: [ConformanceCase] = [
        .init(
            "4.2", "DATA larger than the settings allow",
            [.headers(1), .frame(0, stream: 1, [0], length: 300_000)], .connection(.frameSizeError)),
        .init(
            "4.2", "HEADERS larger than the settings allow",
            [.frame(1, 5, stream: 1, [0], length: 300_000)], .connection(.frameSizeError)),
        .init(
            "4.3", "PRIORITY inside a block", [.block(1, block, whole: false), .priority(1)],
            .connection(.protocolError)),
        .init(
            "4.3", "HEADERS of another stream inside a block",
            [.block(1, block, whole: false), .get(3)], .connection(.protocolError)),
        .init(
            "4.3", "CONTINUATION of another stream inside a block",
            [.block(1, block, whole: false), .continuation(3)], .connection(.protocolError)),
        .init(
            "4.3", "DATA inside a block", [.block(1, block, whole: false), .data(1)],
            .connection(.protocolError)),
        .init(
            "4.3", "HEADERS again inside a block",
            [.block(1, block, whole: false), .block(1, block)], .connection(.protocolError)),
        .init(
            "4.3", "PING inside a block", [.block(1, block, whole: false), .ping()],
            .connection(.protocolError)),
        .init(
            "5.4.1", "an error of the connection", [.frame(6, 0, [1])], .connection(.frameSizeError)
        ),
        .init("6.1", "DATA of no stream", [.data(0)], .connection(.protocolError)),
        .init(
            "6.1", "padding longer than DATA", [.headers(1), .frame(0, 8, stream: 1, [3, 0, 0])],
            .connection(.protocolError)),
        .init(
            "6.1", "padding as long as DATA", [.headers(1), .frame(0, 8, stream: 1, [1])],
            .connection(.protocolError)),
        .init(
            "6.1", "padded DATA without a length", [.headers(1), .frame(0, 8, stream: 1)],
            .connection(.frameSizeError)),
        .init("6.2", "HEADERS of no stream", [.get(0)], .connection(.protocolError)),
        .init(
            "6.2", "padding longer than HEADERS", [.frame(1, 0xD, stream: 1, [9, 0x82])],
            .connection(.protocolError)),
        .init(
            "6.2", "padded HEADERS without a length", [.frame(1, 0xD, stream: 1)],
            .connection(.frameSizeError)),
        .init(
            "6.2", "HEADERS too short for a priority", [.frame(1, 0x25, stream: 1, [0, 0, 0])],
            .connection(.frameSizeError)),
        .init("6.3", "PRIORITY of no stream", [.priority(0)], .connection(.protocolError)),
        .init(
            "6.3", "PRIORITY of four bytes", [.headers(1), .frame(2, stream: 1, [0, 0, 0, 3])],
            .stream(1, .frameSizeError)),
        .init(
            "6.3", "PRIORITY of six bytes",
            [.headers(1), .frame(2, stream: 1, [0, 0, 0, 3, 1, 1])],
            .stream(1, .frameSizeError)),
        .init("6.4", "RST_STREAM of no stream", [.reset(0)], .connection(.protocolError)),
        .init(
            "6.4", "RST_STREAM of three bytes", [.headers(1), .frame(3, stream: 1, [0, 0, 8])],
            .connection(.frameSizeError)),
        .init("6.7", "PING on a stream", [.ping(stream: 1)], .connection(.protocolError)),
        .init(
            "6.7", "PING of six bytes", [.frame(6, 0, [0, 0, 0, 0, 0, 0])],
            .connection(.frameSizeError)),
        .init(
            "6.7", "PING of nine bytes", [.frame(6, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0])],
            .connection(.frameSizeError)),
        .init("6.8", "GOAWAY on a stream", [.goAway(stream: 1)], .connection(.protocolError)),
        .init(
            "6.8", "GOAWAY of four bytes", [.frame(7, 0, [0, 0, 0, 0])],
            .connection(.frameSizeError)),
        .init(
            "6.6", "PUSH_PROMISE", [.frame(5, 4, stream: 1, [0, 0, 0, 2] + block)],
            .connection(.protocolError)),
        .init(
            "6.6", "PUSH_PROMISE on an open stream",
            [.headers(1), .frame(5, 4, stream: 1, [0, 0, 0, 2] + block)],
            .connection(.protocolError)),
        .init(
            "6.10", "CONTINUATION behind a whole block", [.headers(1), .continuation(1, block)],
            .connection(.protocolError)),
        .init(
            "6.10", "CONTINUATION behind the last one",
            [.block(1, block, end: false, whole: false), .continuation(1), .continuation(1)],
            .connection(.protocolError)),
        .init(
            "6.10", "CONTINUATION of no stream",
            [.block(1, block, whole: false), .continuation(0)], .connection(.protocolError)),
        .init(
            "6.10", "CONTINUATION behind DATA", [.headers(1), .data(1), .continuation(1, block)],
            .connection(.protocolError)),
    ]

    // MARK: Settings

    static let settings: [ConformanceCase] = [
        .init(
            "6.5", "an acknowledgement with settings", [.frame(4, 1, [0, 3, 0, 0, 0, 1])],
            .connection(.frameSizeError)),
        .init(
            "6.5", "SETTINGS on a stream", [.settings([(3, 1)], stream: 1)],
            .connection(.protocolError)),
        .init(
            "6.5", "SETTINGS of three bytes", [.frame(4, 0, [0, 3, 0])],
            .connection(.frameSizeError)),
        .init("6.5.2", "ENABLE_PUSH of 2", [.settings([(2, 2)])], .connection(.protocolError)),
        .init("6.5.2", "ENABLE_PUSH of 1", [.settings([(2, 1)])], .line("SETTINGS ack")),
        .init(
            "6.5.2", "INITIAL_WINDOW_SIZE of 2^31", [.settings([(4, 0x8000_0000)])],
            .connection(.flowControlError)),
        .init(
            "6.5.2", "MAX_FRAME_SIZE of 2^14 - 1", [.settings([(5, 16383)])],
            .connection(.protocolError)),
        .init(
            "6.5.2", "MAX_FRAME_SIZE of 2^24", [.settings([(5, 16_777_216)])],
            .connection(.protocolError)),
        .init(
            "6.5.2", "MAX_FRAME_SIZE of 2^24 - 1", [.settings([(5, 16_777_215)])],
            .line("SETTINGS ack")),
        .init("6.5.2", "an unknown setting", [.settings([(0xFF, 1)]), .get(1)], .answered([1])),
        .init("6.5.2", "HEADER_TABLE_SIZE of 0", [.settings([(1, 0)]), .get(1)], .answered([1])),
        .init(
            "6.5.2", "HEADER_TABLE_SIZE of 2^32 - 1", [.settings([(1, .max)]), .get(1)],
            .answered([1])),
        .init(
            "6.5.3", "a setting twice: the last holds",
            [.settings([(4, 100), (4, 1)]), .headers(1), .data(1, end: true)],
            .line("DATA 1 1")),
        .init("6.5.3", "each SETTINGS is acknowledged", [.settings()], .line("SETTINGS ack")),
    ]

    // MARK: Windows

    static let windows: [ConformanceCase] = [
        .init("6.9", "WINDOW_UPDATE of all by 0", [.window(0, 0)], .connection(.protocolError)),
        .init(
            "6.9", "WINDOW_UPDATE of a stream by 0", [.headers(1), .window(1, 0)],
            .stream(1, .protocolError)),
        .init(
            "6.9", "WINDOW_UPDATE of three bytes", [.frame(8, 0, [0, 0, 1])],
            .connection(.frameSizeError)),
        .init(
            "6.9.1", "a window of one byte", [.headers(1), .data(1, end: true)],
            .line("DATA 1 1"), settings: [(4, 1)]),
        .init(
            "6.9.1", "all windows together over 2^31 - 1",
            [.window(0, 0x7FFF_FFFF), .window(0, 1)], .connection(.flowControlError)),
        .init(
            "6.9.1", "a stream's window over 2^31 - 1", [.headers(1), .window(1, 0x7FFF_FFFF)],
            .stream(1, .flowControlError)),
        .init(
            "6.9.2", "a window that opens by SETTINGS",
            [.headers(1), .data(1, end: true), .settings([(4, 3)])], .line("DATA 1 3 end"),
            settings: [(4, 0)]),
        .init(
            "6.9.2", "a window below zero",
            [
                .headers(1), .data(1, [1, 2, 3, 4], end: true), .settings([(4, 2)]), .window(1, 1),
                .window(1, 1),
            ],
            .line("DATA 1 1 end"), settings: [(4, 3)]),
        .init(
            "6.9.2", "a window that stays below zero",
            [.headers(1), .data(1, end: true), .settings([(4, 0)]), .window(1, 2)],
            .line("DATA 1 2"), settings: [(4, 2)]),
        .init(
            "6.9.2", "SETTINGS that put a stream's window over 2^31 - 1",
            [.headers(1), .window(1, 0x7FFF_0000), .settings([(4, 0x7FFF_FFFF)])],
            .connection(.flowControlError)),
    ]

    // MARK: Messages

    static let messages: [ConformanceCase] = [
        .init(
            "8.1", "HEADERS in the middle", [.headers(1), .data(1), .headers(1, [("a", "b")])],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "an upper-case name", [.block(1, block + [0, 1, 0x41, 1, 0x62])],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "a name with a space", [.headers(1, fields(("a b", "c")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "a name with a colon inside", [.headers(1, fields(("a:b", "c")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "a value with a line feed", [.block(1, block + [0, 1, 0x61, 1, 0x0A])],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "a value with a zero", [.block(1, block + [0, 1, 0x61, 2, 0x62, 0])],
            .stream(1, .protocolError)),
        .init(
            "8.2.1", "a value that begins with a space",
            [.headers(1, fields(("a", " b")), end: true)], .stream(1, .protocolError)),
        .init(
            "8.2.1", "a value that ends with a tab",
            [.headers(1, fields(("a", "b\t")), end: true)], .stream(1, .protocolError)),
        .init(
            "8.3", "an unknown pseudo-field",
            [.headers(1, [(":x", "y")] + HeaderSamples.get, end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3", "the pseudo-field of answers",
            [.headers(1, [(":status", "200")] + HeaderSamples.get, end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3", "a pseudo-field in trailers",
            [.headers(1), .data(1), .headers(1, [(":method", "GET")], end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3", "a pseudo-field behind others",
            [.headers(1, without(":path") + [("a", "b"), (":path", "/")], end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "connection", [.headers(1, fields(("connection", "close")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "proxy-connection",
            [.headers(1, fields(("proxy-connection", "close")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "keep-alive", [.headers(1, fields(("keep-alive", "1")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "transfer-encoding",
            [.headers(1, fields(("transfer-encoding", "chunked")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "upgrade", [.headers(1, fields(("upgrade", "h2c")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "te other than trailers",
            [.headers(1, fields(("te", "trailers, deflate")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.2.2", "te of trailers", [.headers(1, fields(("te", "trailers")), end: true)],
            .answered([1])),
        .init(
            "8.3.1", "an empty :path",
            [.headers(1, without(":path") + [(":path", "")], end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", "no :method", [.headers(1, without(":method"), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", "no :scheme", [.headers(1, without(":scheme"), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", "no :path", [.headers(1, without(":path"), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", "no :authority", [.headers(1, without(":authority"), end: true)],
            .answered([1])),
        .init(
            "8.3.1", ":method twice", [.headers(1, fields((":method", "GET")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", ":scheme twice", [.headers(1, fields((":scheme", "http")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", ":path twice", [.headers(1, fields((":path", "/")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.3.1", ":authority twice", [.headers(1, fields((":authority", "a")), end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.5", "CONNECT",
            [.headers(1, [(":method", "CONNECT"), (":authority", "a:1")], end: true)],
            .answered([1])),
        .init(
            "8.5", "CONNECT with a path",
            [
                .headers(
                    1, [(":method", "CONNECT"), (":authority", "a"), (":path", "/")], end: true)
            ],
            .stream(1, .protocolError)),
        .init(
            "8.1.1", "content longer than it says",
            [.headers(1, HeaderSamples.post + [("content-length", "1")]), .data(1, end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.1.1", "content shorter than it says",
            [.headers(1, HeaderSamples.post + [("content-length", "4")]), .data(1, end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.1.1", "content in frames, longer than it says",
            [
                .headers(1, HeaderSamples.post + [("content-length", "4")]), .data(1),
                .data(1, end: true),
            ],
            .stream(1, .protocolError)),
        .init(
            "8.1.1", "no content where some was said",
            [.headers(1, HeaderSamples.post + [("content-length", "4")], end: true)],
            .stream(1, .protocolError)),
        .init(
            "8.1.1", "trailers before the content is complete",
            [
                .headers(1, HeaderSamples.post + [("content-length", "4")]), .data(1),
                .headers(1, [("a", "b")], end: true),
            ], .stream(1, .protocolError)),
        .init(
            "8.1.1", "content as long as it says",
            [
                .headers(1, HeaderSamples.post + [("content-length", "6")]), .data(1),
                .data(1, end: true),
            ],
            .answered([1])),
        .init(
            "8.1.1", "two lengths that differ",
            [
                .headers(
                    1, HeaderSamples.post + [("content-length", "3"), ("content-length", "4")]),
                .data(1, end: true),
            ], .stream(1, .protocolError)),
        .init(
            "8.1.1", "a length that is no number",
            [.headers(1, HeaderSamples.post + [("content-length", "+3")]), .data(1, end: true)],
            .stream(1, .protocolError)),
    ]

    // MARK: Header compression

    private static let named = block + [0x40, 1, 0x61, 1, 0x62]

    static let compression: [ConformanceCase] = [
        .init("7541 6.1", "an indexed field", [.block(1, [0x82, 0x86, 0x84])], .answered([1])),
        .init(
            "7541 6.2.1", "a literal that is kept, with a name of the table",
            [.block(1, block + [0x50, 1, 0x62]), .block(3, block + [0xBE])], .answered([1, 3])),
        .init(
            "7541 6.2.1", "a literal that is kept, with a new name",
            [.block(1, named), .block(3, block + [0xBE])], .answered([1, 3])),
        .init(
            "7541 6.2.2", "a literal that is not kept", [.block(1, block + [0, 1, 0x61, 1, 0x62])],
            .answered([1])),
        .init(
            "7541 6.2.3", "a literal that is never kept",
            [.block(1, block + [0x10, 1, 0x61, 1, 0x62])], .answered([1])),
        .init(
            "7541 6.2.3", "a literal that is never kept, with a name of the table",
            [.block(1, block + [0x1F, 0x0C, 1, 0x62])], .answered([1])),
        .init("7541 6.3", "a size update", [.block(1, [0x3F, 0x61] + block)], .answered([1])),
        .init(
            "7541 4.2", "two size updates", [.block(1, [0x20, 0x3F, 0x61] + block)], .answered([1])),
        .init(
            "7541 5.2", "Huffman's code",
            [.block(1, block + [0, 0x81, 0x1F, 0x81, 0x1F])], .answered([1])),
        .init(
            "7541 2.3.3", "an index beyond the table", [.block(1, [0xC6])],
            .connection(.compressionError)),
        .init(
            "7541 2.3.3", "a name's index beyond the table",
            [.block(1, block + [0x0F, 0x37, 1, 0x61])],
            .connection(.compressionError)),
        .init(
            "7541 2.3.3", "an index that was emptied",
            [.block(1, named), .block(3, [0x20] + block + [0xBE])], .connection(.compressionError)),
        .init(
            "7541 4.2", "a size update at the end", [.block(1, block + [0x21])],
            .connection(.compressionError)),
        .init(
            "7541 5.2", "padding of more than seven bits",
            [.block(1, block + [0, 1, 0x61, 0x82, 0x1F, 0xFF])], .connection(.compressionError)),
        .init(
            "7541 5.2", "padding by zeros", [.block(1, block + [0, 1, 0x61, 0x81, 0x18])],
            .connection(.compressionError)),
        .init(
            "7541 5.2", "the end of Huffman's code inside",
            [.block(1, block + [0, 1, 0x61, 0x84, 0xFF, 0xFF, 0xFF, 0xFF])],
            .connection(.compressionError)),
        .init("7541 6.1", "index 0", [.block(1, block + [0x80])], .connection(.compressionError)),
        .init(
            "7541 6.3", "a size above the settings", [.block(1, [0x3F, 0xE2, 0x1F] + block)],
            .connection(.compressionError)),
        .init(
            "7541 5.1", "a number that is too large",
            [.block(1, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])],
            .connection(.compressionError)),
        .init(
            "7541 5.2", "a text longer than its block", [.block(1, block + [0, 1, 0x61, 9, 0x62])],
            .connection(.compressionError)),
        .init(
            "4.3", "a block cut short", [.block(1, block + [0x40])], .connection(.compressionError)),
        .init(
            "4.3", "trailers that cannot be decoded",
            [.headers(1), .block(1, [0xFF, 0xFF, 0xFF, 0xFF])], .connection(.compressionError)),
        .init(
            "4.3", "trailers of a reset stream keep the table in step",
            [
                .headers(1, fields(("te", "x"))), .block(1, [0x40, 1, 0x61, 1, 0x62]),
                .block(3, block + [0xBE]),
            ], .answered([3])),
    ]
}
