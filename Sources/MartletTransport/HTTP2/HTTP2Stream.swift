import NIOCore

/// The protocol's state of one open stream.
struct HTTP2Stream {
    /// What we may send; below zero after the peer has taken room back.
    var sendWindow: Int

    /// What the peer may send.
    var receiveWindow: Int

    /// What was taken in and not given back to the peer's window yet.
    var consumed = 0

    /// Bytes of content that are still to come, where the peer said how many.
    var contentLeft: Int?

    /// Whether the peer has ended its side.
    var peerEnded = false

    /// Whether the peer has sent the head of its message.
    var hasPeerHead = true

    /// Whether nothing but a head is expected: the request was a `HEAD`.
    var expectsNoContent = false

    /// Whether we have sent, or left to be sent, the head of our message.
    var hasHead = false

    /// Whether we have ended our side, of a stream that goes on.
    var hasEnded = false

    /// Whether the rest of a request is read after its answer, and thrown away.
    var endsQuietly = false

    /// Whether the window opens by itself as data arrive; else whoever reads says when.
    var isCredited = true

    /// What has to wait, if anything.
    var pending: PendingOutput?

    /// Whether the stream stands in the queue of those that may send.
    var isQueued = false
}

/// What one stream has to send as soon as it may.
struct PendingOutput {
    /// How the stream's output ends.
    enum End {
        case trailers([UInt8])
        case data
    }

    var head: [UInt8]?
    var data = PendingContent()
    var end: End?
}

/// The streams that were closed last, to tell what is late from what is wrong.
struct ClosedStreams {
    enum Reason {
        /// Both sides had ended it.
        case ended
        /// The peer reset it.
        case resetByPeer
        /// We did, so frames may still be on their way.
        case resetByUs
    }

    private static let capacity = 256

    private var entries: [(stream: UInt32, reason: Reason)] = []
    private var oldest = 0

    mutating func add(_ stream: UInt32, _ reason: Reason) {
        if entries.count < ClosedStreams.capacity {
            entries.append((stream, reason))
        } else {
            entries[oldest] = (stream, reason)
            oldest = (oldest + 1) & (ClosedStreams.capacity - 1)
        }
    }

    func reason(_ stream: UInt32) -> Reason? {
        entries.last { $0.stream == stream }?.reason
    }
}
