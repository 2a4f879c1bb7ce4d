import MartletCore
import NIOCore
import Synchronization

/// What waits to be sent on a stream: decides what is taken and what is said to the handler.
struct GRPCOutboxState {
    /// Something for the event loop to write, in order.
    enum Item: Equatable {
        case message([UInt8])
        /// The end, with the code and message of an error if there is one.
        case end(StatusCode, String)
    }

    private let bytesMax: Int
    private var items: [Item] = []
    private var waitingBytes = 0
    private var hasEnded = false
    private var owesRoom = false
    private var isScheduled = false

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Takes a message, if there is room.
    mutating func write(_ message: [UInt8]) -> GRPCStreamWriter.Outcome {
        guard !hasEnded else { return .ended }
        guard waitingBytes == 0 || waitingBytes + message.count <= bytesMax else {
            owesRoom = true
            return .full
        }
        // A message without bytes takes room for its frame all the same.
        waitingBytes += max(message.count, 1)
        items.append(.message(message))
        return .accepted
    }

    /// Takes the end; `false` when it was there before.
    mutating func finish(_ error: ServingError?) -> Bool {
        guard !hasEnded else { return false }
        hasEnded = true
        items.append(.end(error?.code ?? .ok, error?.message ?? ""))
        return true
    }

    /// Whether the event loop is to be woken: once for all that comes before it runs.
    mutating func schedule() -> Bool {
        guard !isScheduled, !items.isEmpty else { return false }
        isScheduled = true
        return true
    }

    /// All that is to be written now.
    mutating func take() -> [Item] {
        isScheduled = false
        defer { items = [] }
        return items
    }

    /// Notes that a message has left; `true` when the handler is to be told that there is room.
    mutating func didSend(_ message: Int) -> Bool {
        waitingBytes -= max(message, 1)
        guard owesRoom, !hasEnded, waitingBytes <= bytesMax / 2 else { return false }
        owesRoom = false
        return true
    }

    /// Notes that nothing can be sent any more.
    mutating func abandon() {
        hasEnded = true
        items = []
    }
}

/// Carries what any thread writes to a stream's event loop.
final class GRPCOutbox: Sendable {
    private let state: Mutex<GRPCOutboxState>
    private let answers: AnswerBox
    private let session: NIOLoopBoundBox<GRPCStreamSession?>

    /// Creates the outbox of a session on its event loop.
    init(
        session: GRPCStreamSession, bytesMax: Int, answers: AnswerBox, eventLoop: any EventLoop
    ) {
        state = Mutex(GRPCOutboxState(bytesMax: bytesMax))
        self.answers = answers
        self.session = NIOLoopBoundBox(session, eventLoop: eventLoop)
    }

    func write(_ message: [UInt8]) -> GRPCStreamWriter.Outcome {
        let (outcome, isToWake) = state.withLock { state in
            (state.write(message), state.schedule())
        }
        if isToWake { wake() }
        return outcome
    }

    func finish(_ error: ServingError?) {
        let isToWake = state.withLock { state in state.finish(error) && state.schedule() }
        if isToWake { wake() }
    }

    /// At once only where the connection is at work: what comes of it has to leave.
    func setReading(_ isReading: Bool) {
        answers.send(.setReading(self, isReading))
    }

    // Never at once: the writer may hold a lock that the handler takes.
    private func wake() {
        answers.post(.messages(self))
    }

    /// Hands on what was written; called on the event loop.
    func deliver() {
        let items = state.withLock { $0.take() }
        session.value?.write(items)
    }

    /// Stops or resumes reading; called on the event loop.
    func deliver(isReading: Bool) {
        session.value?.setReading(isReading)
    }

    /// Notes that a message has left; called on the event loop.
    func didSend(_ count: Int) -> Bool {
        state.withLock { $0.didSend(count) }
    }

    /// Lets go of the session; called on the event loop.
    func abandon() {
        state.withLock { $0.abandon() }
        session.value = nil
    }
}
