import NIOCore

/// What is asked in place of a request that no upstream answers.
extension Exchange {
    /// The upstreams that were tried by the plan that is at hand.
    var triedLately: [UpstreamAddress] {
        triedBefore == 0 ? tried : Array(tried.dropFirst(triedBefore))
    }

    /// What is asked instead, by the policy; that attempt counts as begun.
    ///
    /// Only of a request that is at hand as a whole, and of whose answer the client has seen
    /// nothing.
    ///
    /// - Parameter failure: why the last attempt failed; `nil` where there was no upstream.
    /// - Returns: the other request; `nil` if there is none.
    func fallback(after failure: ForwardingFailure?) -> FallbackForwarding? {
        guard plan.mayFallBack, forwardedHead != nil, machine.requestEnded, machine.isReplayable,
            !machine.responseStarted
        else { return nil }
        return policy.fallback(
            after: UnansweredForwarding(plan: plan, failure: failure, body: machine.requestBody))
    }

    /// Asks for something else; the attempt before has ended.
    func fallBack(to other: FallbackForwarding) {
        plan = other.plan
        if let body = plan.newBody, let forwardedHead {
            machine.replaceRequest(by: forwardedHead(plan.changes), ByteBuffer(bytes: body))
            plan.newBody = nil
        }
        triedBefore = tried.count
        forgetAnswer()
        machine.retry()
        attempt(other.upstream)
        accountForMemory()
    }
}
