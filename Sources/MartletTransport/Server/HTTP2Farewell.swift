import NIOHTTP2

/// How an HTTP/2 connection takes its leave: who may still open streams, and when it may close.
///
/// A client may open streams until it has learned of the end. So it is told twice: first that the
/// connection will end, with a last stream so high that it refuses nothing, and once the client
/// must know of that, which stream was the last. Streams up to that one are served to their end.
struct HTTP2Farewell {
    private enum State {
        /// Next: announced.
        case serving
        /// The client has been told of the end. Next: ending.
        case announced
        /// The client has been told the last stream that is served. Next: over.
        case ending
        /// Nothing is served any more. Final.
        case over
    }

    /// What is to be done about an event.
    enum Action: Equatable {
        /// Send the first GOAWAY and a ping, whose acknowledgement says that the client has it.
        case announce
        /// Send the second GOAWAY.
        case nameLast(HTTP2StreamID)
        /// Close: the last stream has ended.
        case close
        case nothing
    }

    private var state = State.serving
    private var openStreams: Set<HTTP2StreamID> = []
    private var lastStream = HTTP2StreamID.rootStream

    /// Whether no stream is open.
    var isIdle: Bool { openStreams.isEmpty }

    /// Takes a new stream in; `false` when it is to be refused.
    mutating func admit(_ stream: HTTP2StreamID) -> Bool {
        switch state {
        case .serving, .announced: break
        case .ending, .over: return false
        }
        openStreams.insert(stream)
        lastStream = max(lastStream, stream)
        return true
    }

    /// Forgets a stream that has ended; streams that were refused are none of the connection's.
    mutating func streamEnded(_ stream: HTTP2StreamID) -> Action {
        openStreams.remove(stream)
        return closeIfDone()
    }

    /// Begins to take leave.
    mutating func begin() -> Action {
        guard case .serving = state else { return .nothing }
        state = .announced
        return .announce
    }

    /// The client knows by now, or has had long enough to learn of it.
    mutating func clientKnows() -> Action {
        guard case .announced = state else { return .nothing }
        state = .ending
        return .nameLast(lastStream)
    }

    /// Ends the connection if it serves nothing any more.
    mutating func closeIfDone() -> Action {
        guard case .ending = state, openStreams.isEmpty else { return .nothing }
        state = .over
        return .close
    }
}
