import NIOCore

/// One connection of a lane, whichever protocol it speaks.
protocol LoadConnection: AnyObject {
    /// Whether another request may be sent now.
    var hasRoom: Bool { get }

    /// Takes a request; it goes out with the next ``flush()``.
    func send(_ request: Int, token: UInt64, now: UInt64)

    /// Writes what was taken.
    func flush()

    /// Gives up requests that were sent before the given time.
    func expire(sentBefore time: UInt64)

    /// Ends the connection.
    func close()
}
