internal import Synchronization

/// The content of an answer that comes in pieces, such as server-sent events.
///
/// A responder makes a pair of this, which it puts into its ``HTTPResponse``, and a
/// ``ContentWriter``, by which any thread writes. The transport sends pieces as they come, as far
/// as the client takes them.
public final class ContentStream: Sendable {
    /// How content ends.
    enum End: Sendable, Equatable {
        /// It is whole.
        case complete
        /// It is not, which the client must be able to tell.
        case aborted
    }

    private struct State {
        var pieces: [[UInt8]] = []
        var waitingBytes = 0
        var end: End?
        /// Tells the connection that there is something to send.
        var wake: (@Sendable () -> Void)?
        /// Whether the connection is going to look.
        var isAwaited = false
        /// Nobody takes anything any more.
        var isAbandoned = false
        /// Bytes that were accepted so far.
        var byteCount = 0
        /// Is told of the end, once.
        var onEnd: (@Sendable (_ isWhole: Bool, _ bytes: Int) -> Void)?
    }

    private let state = Mutex(State())
    private let bytesMax: Int

    private init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Makes content, and what writes it.
    ///
    /// - Parameter bytesMax: most bytes that may wait for the client, beyond a first piece.
    /// - Returns: the content for an answer, and its only writer.
    public static func make(bytesMax: Int) -> (content: ContentStream, writer: ContentWriter) {
        let content = ContentStream(bytesMax: bytesMax)
        return (content, ContentWriter(content))
    }

    /// Calls `action` once when the content has ended or nobody waits for it any more, at once if
    /// that is so already.
    ///
    /// - Parameter action: told whether the content was written to its end, and how many bytes it
    ///   has so far; called by any thread.
    public func onEnd(_ action: @escaping @Sendable (_ isWhole: Bool, _ bytes: Int) -> Void) {
        let ended = state.withLock { state -> (Bool, Int)? in
            guard state.end == nil, !state.isAbandoned else {
                return (state.end == .complete, state.byteCount)
            }
            state.onEnd = action
            return nil
        }
        if let (isWhole, bytes) = ended { action(isWhole, bytes) }
    }

    // MARK: The writer's side

    func write(_ bytes: [UInt8]) -> ContentWriter.Outcome {
        guard !bytes.isEmpty else { return .accepted }
        let (outcome, wake) = state.withLock { state in
            guard state.end == nil, !state.isAbandoned else {
                return (ContentWriter.Outcome.ended, nil as (@Sendable () -> Void)?)
            }
            guard state.waitingBytes == 0 || state.waitingBytes + bytes.count <= bytesMax else {
                return (.full, nil)
            }
            state.waitingBytes += bytes.count
            state.byteCount += bytes.count
            state.pieces.append(bytes)
            return (.accepted, ContentStream.wakeIfNeeded(&state))
        }
        wake?()
        return outcome
    }

    func end(_ end: End) {
        var bytes = 0
        let (wake, onEnd) = state.withLock { state in
            guard state.end == nil, !state.isAbandoned else {
                return (nil as (@Sendable () -> Void)?, nil as (@Sendable (Bool, Int) -> Void)?)
            }
            state.end = end
            bytes = state.byteCount
            defer { state.onEnd = nil }
            return (ContentStream.wakeIfNeeded(&state), state.onEnd)
        }
        onEnd?(end == .complete, bytes)
        wake?()
    }

    private static func wakeIfNeeded(_ state: inout State) -> (@Sendable () -> Void)? {
        guard !state.isAwaited, let wake = state.wake else { return nil }
        state.isAwaited = true
        return wake
    }

    // MARK: The connection's side

    /// Begins to send: `wake` is called, by any thread, once for all that comes until
    /// ``take()``.
    func attach(wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    /// All that is to be sent now, and how the content ends if nothing follows.
    func take() -> (pieces: [[UInt8]], end: End?) {
        state.withLock { state in
            state.isAwaited = false
            state.waitingBytes = 0
            defer { state.pieces = [] }
            return (state.pieces, state.end)
        }
    }

    /// Lets go of everything: nobody waits for the content any more.
    func abandon() {
        var bytes = 0
        let (wake, onEnd) = state.withLock { state in
            state.isAbandoned = true
            state.pieces = []
            bytes = state.byteCount
            defer {
                state.wake = nil
                state.onEnd = nil
            }
            // Let go outside the lock: what it holds may end with it.
            return (state.wake, state.onEnd)
        }
        onEnd?(false, bytes)
        withExtendedLifetime(wake) {}
    }
}

/// Writes the content of a ``ContentStream``, from any thread.
///
/// Whoever holds it ends the content by ``finish()``; if it is dropped before, the content is
/// aborted.
public final class ContentWriter: Sendable {
    /// What became of a piece.
    public enum Outcome: Sendable, Hashable {
        /// It will be sent.
        case accepted
        /// It was not taken: the client takes less than is written.
        case full
        /// It was not taken: the content has ended, or nobody waits for it.
        case ended
    }

    private let content: ContentStream

    init(_ content: ContentStream) {
        self.content = content
    }

    deinit { content.end(.aborted) }

    /// Writes a piece; one is always taken when none waits, however large it is.
    public func write(_ bytes: [UInt8]) -> Outcome {
        content.write(bytes)
    }

    /// Ends the content, which is whole.
    public func finish() {
        content.end(.complete)
    }

    /// Ends the content so that the client can tell that it is not whole: an HTTP/1.1 connection
    /// is closed, an HTTP/2 stream reset.
    public func abort() {
        content.end(.aborted)
    }
}
