import MartletCore
import NIOCore

/// Every bound of one HTTP/2 connection.
struct HTTP2Limits: Equatable {
    /// Streams that a client may have open at once.
    var concurrentStreams = 1024

    /// Most bytes of a decoded header list, as the protocol counts them; a request above is
    /// refused.
    var headerListBytes = 64 * 1024

    /// Most bytes of a header block as it comes over the wire, or decoded: a client that sends more
    /// loses its connection.
    var headerBlockBytes = 256 * 1024

    /// Most CONTINUATION frames of a header block.
    var continuations = 64

    /// Bytes of one stream that may be on their way to us: a tensor of an image fits, so that one
    /// request needs no round trip for flow control.
    var streamWindow = 1 << 20

    /// Bytes of all streams that may be on their way to us.
    var connectionWindow = 1 << 24

    /// Largest frame that we take.
    var frameBytes = 1 << 18

    /// Largest frame that we send where the client takes such: others wait while it is sent.
    var sentFrameBytes = 1 << 16

    /// Output that may wait to be flushed before streams have to wait.
    var outputBytes = 1 << 19

    /// Answers to control frames that may wait for a client that does not read.
    var unreadControlFrames = 1000

    /// Parameters in a SETTINGS frame.
    var settings = 64

    /// How often a client may do what costs us more than it.
    var floods = FloodMeter.Allowances()

    init() {}

    init(_ limits: Limits) {
        concurrentStreams = limits.concurrentStreams
        headerListBytes = limits.headerBytes
        headerBlockBytes = max(4 * limits.headerBytes, HTTP2Protocol.frameBytesMin)
        // All requests in flight may be given up at once, when their common deadline passes.
        floods.resets.burst = max(floods.resets.burst, 2 * limits.concurrentStreams)
    }
}
