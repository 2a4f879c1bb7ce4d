/// What a lookup comes to.
enum CacheLookup<Value: Sendable>: Sendable {
    /// Answer with this.
    case hit(CachedAnswer<Value>)
    /// Ask a node, and say by ``ResponseCache/fulfil(_:with:bytes:now:)``,
    /// ``ResponseCache/share(_:)`` or ``ResponseCache/fail(_:now:)`` how that went.
    case lead(FlightTicket)
    /// Wait: whoever leads will have the answer, or hand the lead over to this asker.
    case follow(FlightTicket)
    /// Ask a node, and keep the answer to yourself: a bound is reached.
    case detour
}

/// An answer out of the cache.
struct CachedAnswer<Value: Sendable>: Sendable {
    /// The answer.
    let value: Value
    /// How long ago it was stored; the `age` of RFC 9111, section 5.1.
    let age: Duration
    /// Whether it is no longer fresh.
    let isStale: Bool
    /// Given to one asker at a time of a stale answer: it asks a node for a new one, besides
    /// answering, and reports as a leader does.
    let revalidation: FlightTicket?
}

/// What an answer has lived through before it came here, such as in another gateway.
struct CachedPast: Sendable {
    /// How long ago a node gave it.
    let age: Duration
    /// How long it stays fresh.
    let left: Duration
}
