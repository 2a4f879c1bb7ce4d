import Foundation
import Synchronization

/// Work that makes its thread wait, on a thread of its own, for a task to wait for without one.
///
/// The C library's lookups can be neither bounded in time nor cancelled. Whoever has waited long
/// enough leaves the thread alone, and may come back for the outcome.
final class DNSLookup<Outcome: Sendable>: Sendable {
    private struct State {
        var outcome: Outcome?
        var waiting: CheckedContinuation<Outcome?, Never>?
    }

    private let state = Mutex(State())

    /// Starts the work.
    init(_ work: @escaping @Sendable () -> Outcome) {
        let thread = Thread { [self] in finish(work()) }
        thread.name = "martlet-dns"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// The outcome, once it is there; nil if the task is cancelled, or it takes longer than it may.
    ///
    /// One task at a time may wait.
    func outcome(within limit: Duration) async -> Outcome? {
        await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await self.outcome() }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // It may have come meanwhile.
            return await group.next() ?? nil
        }
    }

    /// The outcome, once it is there; nil if the task is cancelled.
    ///
    /// One task at a time may wait.
    func outcome() async -> Outcome? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.outcome == nil, !Task.isCancelled else { return true }
                    state.waiting = continuation
                    return false
                }
                if isOver { continuation.resume(returning: state.withLock { $0.outcome }) }
            }
        } onCancel: {
            resume()
        }
    }

    private func finish(_ outcome: Outcome) {
        state.withLock { $0.outcome = outcome }
        resume()
    }

    private func resume() {
        let (waiting, outcome) = state.withLock { state in
            defer { state.waiting = nil }
            return (state.waiting, state.outcome)
        }
        waiting?.resume(returning: outcome)
    }
}
