/// Decides what a ``LoadLane`` sends and when, and hears what came of it.
///
/// All calls come on the lane's own thread, one after the other, so a driver needs no lock. What it
/// sends in a call goes out when the call returns.
public protocol LoadDriver: AnyObject {
    /// The lane has its connections: the first requests may be sent.
    func begin(on lane: LoadLane)

    /// A request has ended.
    ///
    /// - Parameters:
    ///   - token: what it was sent with.
    ///   - outcome: what became of it.
    ///   - bytes: bytes of content that came for it.
    ///   - lane: the lane, on which there is room again.
    func ended(_ token: UInt64, _ outcome: LoadOutcome, bytes: Int, on lane: LoadLane)

    /// Some of the content of an answer has come, of a target that keeps answers.
    func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane)

    /// The time asked for by ``LoadLane/wake(at:)`` has come.
    func woke(on lane: LoadLane)

    /// There is a connection again that had gone.
    func reconnected(on lane: LoadLane)

    /// A connection that had gone could not be made again; it is tried once more soon.
    func connectionFailed(_ reason: String, on lane: LoadLane)
}

extension LoadDriver {
    /// Ignores content.
    public func received(_ bytes: [UInt8], for token: UInt64, on lane: LoadLane) {}

    /// Does nothing.
    public func reconnected(on lane: LoadLane) {}

    /// Does nothing.
    public func connectionFailed(_ reason: String, on lane: LoadLane) {}
}
