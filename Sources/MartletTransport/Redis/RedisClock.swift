import NIOCore

extension Duration {
    /// The time of the clock that timers of event loops go by.
    static var sinceStart: Duration {
        .nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }
}

extension NIODeadline {
    init(sinceStart duration: Duration) {
        let amount = TimeAmount(max(.zero, duration))
        self = .uptimeNanoseconds(UInt64(amount.nanoseconds))
    }
}
