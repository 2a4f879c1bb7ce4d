import MartletCore
import NIOCore
import Synchronization

/// The open connections of a listener: refuses those over the limit, and drains.
final class ConnectionTracker: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isDraining = false
        var whenEmpty: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes a new connection in; `false` when it is to be closed at once.
    ///
    /// One that comes while the others drain was accepted before the port closed, and may have
    /// brought a request: it is taken, to be asked to end like the others.
    func add(_ channel: any Channel) -> Bool {
        let accepted = state.withLock { state in
            guard state.channels.count < limit else { return false }
            state.channels[ObjectIdentifier(channel)] = channel
            return true
        }
        if accepted {
            channel.closeFuture.whenComplete { _ in self.remove(channel) }
        }
        return accepted
    }

    /// Whether connections are asked to end.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    private func remove(_ channel: any Channel) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.channels.removeValue(forKey: ObjectIdentifier(channel))
            guard state.channels.isEmpty else { return nil }
            defer { state.whenEmpty = nil }
            return state.whenEmpty
        }
        waiter?.resume()
    }

    /// Asks every connection to close once its started requests are done, and returns when none is
    /// left, or at once when the task is cancelled.
    func drain() async {
        let channels = state.withLock { state in
            state.isDraining = true
            return Array(state.channels.values)
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isEmpty = state.withLock { state in
                    guard !state.channels.isEmpty, !Task.isCancelled else { return true }
                    state.whenEmpty = continuation
                    return false
                }
                if isEmpty { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.whenEmpty = nil }
                return state.whenEmpty
            }
            waiter?.resume()
        }
    }

    /// The number of open connections.
    var count: Int { state.withLock { $0.channels.count } }
}
