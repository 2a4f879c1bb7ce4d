import Synchronization

/// A connection to an upstream that nobody uses, as long as nobody begins to.
///
/// Bound to its event loop.
protocol UnusedConnection: AnyObject {
    /// Closes it, and says when it is closed and counts no more.
    ///
    /// - Parameter completion: called once, on the event loop.
    func closeUnused(_ completion: @escaping @Sendable () -> Void)
}

/// One round of asking all event loops for room at an upstream: for a connection that nobody uses,
/// which the first that has one closes.
///
/// Called from any thread.
final class RoomRound: Sendable {
    /// What came of a round.
    enum Outcome: Sendable, Equatable {
        /// A connection was closed.
        case made
        /// No event loop has one that nobody uses.
        case none
    }

    private struct State {
        /// Event loops that have not answered yet.
        var unanswered: Int
        /// Whether one of them is closing a connection.
        var isClaimed = false
        /// Called once.
        var completion: (@Sendable (Outcome) -> Void)?
    }

    private let state: Mutex<State>

    /// Begins a round.
    ///
    /// - Parameters:
    ///   - eventLoops: how many are asked; 1 at least.
    ///   - completion: called once, on any thread.
    init(eventLoops: Int, completion: @escaping @Sendable (Outcome) -> Void) {
        state = Mutex(State(unanswered: eventLoops, completion: completion))
    }

    /// Whether an event loop that has a connection is to close it: one alone is.
    func claim() -> Bool {
        state.withLock { state in
            defer { state.isClaimed = true }
            return !state.isClaimed
        }
    }

    /// An event loop has nothing to close, or is not to.
    func decline() {
        let completion = state.withLock { state -> (@Sendable (Outcome) -> Void)? in
            state.unanswered -= 1
            guard state.unanswered == 0, !state.isClaimed else { return nil }
            return state.completion.take()
        }
        completion?(.none)
    }

    /// The connection that was claimed is closed.
    func didClose() {
        state.withLock { $0.completion.take() }?(.made)
    }
}
