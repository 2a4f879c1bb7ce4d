import NIOCore

/// The protocol's state of one open stream.
struct HTTP2Stream {
    /// What we may send; below zero after the client has taken room back.
    var sendWindow: Int

    /// What the client may send.
    var receiveWindow: Int

    /// What was taken in and not given back to the client's window yet.
    var consumed = 0

    /// Bytes of content that are still to come, where the client said how many.
    var contentLeft: Int?

    /// Whether the client has ended its side.
    var requestEnded = false

    /// Whether we have begun to answer.
    var hasHead = false

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
        /// The client reset it.
        case resetByClient
        /// We did, so frames may still be on their way.
        case resetByServer
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
