/// When an HTTP/2 connection ends on which nothing is wrong, and how it is found that it is dead.
public struct ConnectionLifetime: Sendable, Hashable {
    /// The end of a connection that has grown old.
    public struct End: Sendable, Hashable {
        /// From this age on, give or take a tenth, the client is asked to connect anew.
        public var age: Duration

        /// How long its started requests may take from then on; nil to wait for them.
        public var grace: Duration?

        /// Creates an end.
        public init(age: Duration, grace: Duration? = nil) {
            self.age = age
            self.grace = grace
        }
    }

    /// When connections end by their age; nil for never.
    public var end: End?

    /// Pause after which a silent client is pinged.
    public var pingInterval: Duration = .seconds(60)

    /// Longest wait for the answer to a ping; the connection is closed then.
    public var pingTimeout: Duration = .seconds(20)

    /// The defaults.
    public init() {}
}
