import MartletCore

/// Every bound of one HTTP/1.1 connection.
struct HTTP1Limits: Equatable {
    /// Most fields of a head, and of trailers.
    var headerFields = 128

    /// Most bytes of a head's target, names and values, and of all trailers.
    var headerBytes = 64 * 1024

    /// Empty lines in front of a request, which clients of old send behind a body.
    var emptyLines = 4

    /// Longest line with the size of a chunk.
    var chunkLineBytes = 256

    /// Most bytes of chunk extensions, which mean nothing to us, in a body.
    var chunkExtensionBytes = 4096

    /// Bytes of further requests that may wait while one is answered.
    var unreadBytes = 1 << 16

    /// Output that may wait to be flushed before the next request is looked at.
    var outputBytes = 1 << 19

    /// Requests that are still answered on a connection that is to end, if they are there.
    var farewellAnswers = 64

    /// Largest head that is kept, to know the next one by.
    var keptHeadBytes = 4096

    init() {}

    init(_ limits: Limits) {
        headerFields = limits.headerFields
        headerBytes = limits.headerBytes
    }

    /// Most bytes of a head as it comes: a colon, a space and the line's end for each field.
    var headBytes: Int { headerBytes + 4 * headerFields + 64 }
}
