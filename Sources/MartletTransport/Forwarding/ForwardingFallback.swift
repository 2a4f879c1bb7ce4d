/// A request that no upstream has answered, for the decision what is asked in its place.
public struct UnansweredForwarding: Sendable {
    /// What the request allows.
    public let plan: ForwardingPlan

    /// Why the last attempt failed; `nil` where no upstream was found for a first one.
    public let failure: ForwardingFailure?

    /// The whole body, as it was sent last.
    public let body: [UInt8]

    /// Creates a request without an answer.
    public init(plan: ForwardingPlan, failure: ForwardingFailure?, body: [UInt8]) {
        self.plan = plan
        self.failure = failure
        self.body = body
    }
}

/// What is asked in place of a request that no upstream has answered.
public struct FallbackForwarding: Sendable {
    /// How it is asked; its ``ForwardingPlan/newBody`` takes the place of the body.
    public let plan: ForwardingPlan

    /// The upstream of its first attempt, which has begun.
    public let upstream: UpstreamAddress

    /// Creates what is asked instead.
    public init(plan: ForwardingPlan, upstream: UpstreamAddress) {
        self.plan = plan
        self.upstream = upstream
    }
}
