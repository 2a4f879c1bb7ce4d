import NIOCore

/// Carries the answers of any thread to the event loop of a connection.
///
/// There is one answer at a time, so nothing is collected here: what several connections of an
/// event loop are answered meanwhile comes in one wake of it anyway.
final class HTTP1AnswerBox: Sendable {
    private let eventLoop: any EventLoop
    private let connection: NIOLoopBoundBox<HTTP1ServerHandler?>

    init(of connection: HTTP1ServerHandler, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.connection = NIOLoopBoundBox(connection, eventLoop: eventLoop)
    }

    /// Hands the answer to a request over, at once where the connection is at work anyway.
    func send(_ response: HTTPResponse, to request: Int) {
        if eventLoop.inEventLoop, let connection = connection.value, connection.isAtWork {
            connection.finish(response, of: request)
        } else {
            eventLoop.execute { self.connection.value?.take(response, of: request) }
        }
    }

    /// Says that there is more of the content of an answer.
    ///
    /// Never at once: the writer may hold a lock.
    func wake(for request: Int) {
        eventLoop.execute { self.connection.value?.takeContent(of: request) }
    }

    /// Lets go of the connection; called on the event loop.
    func abandon() {
        connection.value = nil
    }
}
