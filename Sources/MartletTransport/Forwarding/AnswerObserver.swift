/// Looks at an answer of an upstream while it passes; see ``ForwardingPlan/observer``.
///
/// Called on event loops, in the order of the bytes, and by nobody else at the same time: returns
/// at once. What comes to nothing and is asked for elsewhere begins anew.
public protocol AnswerObserver: AnyObject, Sendable {
    /// An answer begins, in the place of one before where there was one.
    ///
    /// - Parameters:
    ///   - status: the HTTP status.
    ///   - isStream: whether its content is a stream of events.
    func answerBegins(status: Int, isStream: Bool)

    /// More of its content has come, as it was sent: perhaps compressed.
    func answerContinues(_ bytes: UnsafeRawBufferPointer)
}
