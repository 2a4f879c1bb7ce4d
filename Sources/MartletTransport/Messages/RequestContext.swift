public import MartletCore
public import MartletTelemetry
internal import Synchronization

/// Which protocol a request came by, as metrics and logs name it.
public typealias RequestAPI = AccessLogEntry.API

/// What surrounds a request: who asked, since when, until when, and whether still.
public struct RequestContext: Sendable {
    /// The peer's address and port.
    public let remoteAddress: String

    /// When the request's head had arrived.
    public let start: ContinuousClock.Instant

    /// When the client stops waiting.
    public let deadline: Deadline

    /// Tells whether the client hung up.
    public let cancellation: Cancellation

    /// Creates a context.
    public init(
        remoteAddress: String, start: ContinuousClock.Instant = .now, deadline: Deadline = .never,
        cancellation: Cancellation = Cancellation()
    ) {
        self.remoteAddress = remoteAddress
        self.start = start
        self.deadline = deadline
        self.cancellation = cancellation
    }

    /// Ends the work when nobody waits for its result.
    ///
    /// - Throws: `ServingError`: `CANCELLED` or `DEADLINE_EXCEEDED`.
    public func checkStillWanted() throws {
        if deadline.hasPassed() {
            throw ServingError(.deadlineExceeded, "Deadline Exceeded")
        }
        if cancellation.isCancelled {
            throw ServingError(.cancelled, "The client closed the connection")
        }
    }
}

/// A flag that is raised once, when nobody waits for the answer any more: the client has gone or
/// its deadline has passed.
public final class Cancellation: Sendable {
    private enum State {
        /// Next: cancelled, settled.
        case open([@Sendable () -> Void])
        /// The flag is up. Final.
        case cancelled
        /// The request was answered; the flag stays down. Final.
        case settled
    }

    private let state: Mutex<State>

    /// Creates a flag that is down.
    public init() { state = Mutex(.open([])) }

    private init(_ initial: sending State) { state = Mutex(initial) }

    /// A flag that stays down, for requests that nobody would ask whether they are still wanted.
    public static let never = Cancellation(.settled)

    /// Whether the flag is up.
    public var isCancelled: Bool {
        state.withLock { state in
            if case .cancelled = state { true } else { false }
        }
    }

    /// Calls `action` once when the flag is raised, at once if it is up, never if the request is
    /// answered first.
    ///
    /// Called on whichever thread raises the flag, an event loop as a rule: it must not block. What
    /// it captures is let go when the request ends.
    public func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            switch state {
            case .open(let actions):
                state = .open(actions + [action])
                return false
            case .cancelled: return true
            case .settled: return false
            }
        }
        if isCancelled { action() }
    }

    /// Raises the flag, unless the request was answered.
    public func cancel() {
        let actions = state.withLock { state -> [@Sendable () -> Void] in
            guard case .open(let actions) = state else { return [] }
            state = .cancelled
            return actions
        }
        for action in actions { action() }
    }

    /// Notes that the request was answered, and lets go of those who wait.
    public func settle() {
        state.withLock { state in
            if case .open = state { state = .settled }
        }
    }
}
