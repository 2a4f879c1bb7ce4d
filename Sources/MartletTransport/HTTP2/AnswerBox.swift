import NIOCore
import Synchronization

/// Carries answers of any thread to the event loop of a connection: once for all that came
/// meanwhile, not once for each.
final class AnswerBox: Sendable {
    /// Something for the connection to do.
    enum Item: Sendable {
        case http(UInt32, HTTPResponse)
        case grpc(UInt32, GRPCResponse)
        /// There is more of the content of an answer.
        case content(UInt32)
        /// What a stream has to send.
        case messages(GRPCOutbox)
        case setReading(GRPCOutbox, Bool)
    }

    private struct State {
        var items: [Item] = []
        /// Whether the connection is going to look.
        var isAwaited = false
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let connection: NIOLoopBoundBox<HTTP2ServerHandler?>

    init(of connection: HTTP2ServerHandler, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.connection = NIOLoopBoundBox(connection, eventLoop: eventLoop)
    }

    /// Hands the answer to a request over, or what else there is to do, at once where the
    /// connection is at work anyway.
    func send(_ item: Item) {
        if eventLoop.inEventLoop, let connection = connection.value, connection.isAtWork {
            connection.take(item)
        } else {
            post(item)
        }
    }

    /// Leaves something to be done soon.
    func post(_ item: Item) {
        let isToWake = state.withLock { state in
            state.items.append(item)
            defer { state.isAwaited = true }
            return !state.isAwaited
        }
        guard isToWake else { return }
        // A connection at work looks before it rests.
        if eventLoop.inEventLoop, connection.value?.isAtWork == true { return }
        eventLoop.execute { self.connection.value?.takeAnswers() }
    }

    /// All that was handed over.
    func take() -> [Item] {
        state.withLock { state in
            state.isAwaited = false
            guard !state.items.isEmpty else { return [] }
            defer { state.items = [] }
            return state.items
        }
    }

    /// Lets go of the connection; called on the event loop.
    func abandon() {
        connection.value = nil
        _ = take()
    }
}
