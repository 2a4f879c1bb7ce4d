import MartletCore
import MartletTelemetry
import NIOCore

/// Attempts at upstreams: one after the other, or beside each other.
extension Exchange {
    func attempt(_ address: UpstreamAddress) {
        let now = ContinuousClock.now
        if tried.count == triedBefore { firstAttempt = now }
        tried.append(address)
        current = Attempt(number: tried.count, address: address, start: now)
        attemptTimeout = plan.attemptTimeout.map { now + $0 }
        hedgingTime = plan.hedgingDelay.map { now + $0 }
        if attemptDeadline != nil { client?.didBegin() }
        connector.open(address, for: self, attempt: tried.count)
    }

    func endAttempt(_ result: AttemptResult) {
        guard let ended = current else { return }
        current = nil
        report(ended, result)
    }

    private func report(_ attempt: Attempt, _ result: AttemptResult) {
        let end = ContinuousClock.now
        policy.didEnd(
            EndedAttempt(
                upstream: attempt.address, result: result, duration: end - attempt.start,
                isRetry: attempt.number > triedBefore + 1, end: end), plan)
    }

    // MARK: One after the other

    func failed(_ failure: ForwardingFailure, attempt: Int) {
        if let index = rivals.firstIndex(where: { $0.number == attempt }) {
            report(rivals.remove(at: index), .failed(failure))
            return
        }
        guard attempt == current?.number else { return }
        current?.upstream = nil
        if !machine.responseStarted, promoteLast(after: .failed(failure)) { return }
        if let action = machine.failed(failure) { perform(action) }
    }

    func decide(_ failure: ForwardingFailure, isReplayable: Bool) {
        endAttempt(.failed(failure))
        guard let next = policy.nextUpstream(after: failed(by: failure, isReplayable: isReplayable))
        else {
            if let other = fallback(after: failure) {
                fallBack(to: other)
                return
            }
            let mayComeAgain = failure == .full || failure.localFault != nil
            giveUp(error(for: failure), fields: mayComeAgain ? ["retry-after": "1"] : [:])
            return
        }
        tryAgain(at: next)
    }

    /// Whether the answer, which is complete and which the client has seen nothing of, is dropped
    /// for another upstream's.
    func isToldElsewhere() -> Bool {
        guard plan.isIdempotent, machine.isReplayable, !machine.responseStarted,
            let failure = ForwardingFailure(httpStatus: httpStatus, grpcStatus: grpcStatus)
        else { return false }
        let upstream = current?.upstream
        let result = AttemptResult.answered(httpStatus: httpStatus, grpcStatus: grpcStatus)
        if promoteLast(after: result) {
            upstream?.didFinish(isReusable: machine.requestEnded)
            return true
        }
        let next = policy.nextUpstream(after: failed(by: failure, isReplayable: true))
        let other = next == nil ? fallback(after: failure) : nil
        guard next != nil || other != nil else { return false }
        endAttempt(result)
        upstream?.didFinish(isReusable: machine.requestEnded)
        goOn(at: next, or: other)
        return true
    }

    /// The upstream was found to be dead: whatever can be asked elsewhere is.
    func upstreamLost(attempt: Int) {
        if let index = rivals.firstIndex(where: { $0.number == attempt }) {
            let lost = rivals.remove(at: index)
            lost.upstream?.cancel()
            report(lost, .failed(.upstreamLost))
        } else if attempt == current?.number {
            abandonAttempt(.upstreamLost)
        }
    }

    /// When the attempt that is under way is to be looked at, by ``attemptTimedOut()``; `nil` for
    /// never.
    var attemptDeadline: ContinuousClock.Instant? {
        earlier(earlier(attemptTimeout, hedgingTime), stream?.deadline)
    }

    private func earlier(
        _ one: ContinuousClock.Instant?, _ other: ContinuousClock.Instant?
    ) -> ContinuousClock.Instant? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// The attempt that is under way is looked at.
    func attemptTimedOut() {
        let now = ContinuousClock.now
        if let deadline = stream?.deadline, deadline <= now {
            streamStalled()
            return
        }
        if let hedgingTime, hedgingTime <= now { hedge() }
        if let attemptTimeout, attemptTimeout <= now {
            self.attemptTimeout = nil
            abandonAttempt(.attemptTimedOut)
        }
    }

    /// Goes on elsewhere; with nowhere to go, the answer may still come.
    private func abandonAttempt(_ failure: ForwardingFailure) {
        guard client != nil, let abandoned = current, plan.isIdempotent, machine.isReplayable,
            !machine.responseStarted
        else { return }
        if promoteLast(after: .failed(failure)) {
            abandoned.upstream?.cancel()
            return
        }
        let next = policy.nextUpstream(after: failed(by: failure, isReplayable: true))
        let other = next == nil ? fallback(after: failure) : nil
        guard next != nil || other != nil else { return }
        endAttempt(.failed(failure))
        abandoned.upstream?.cancel()
        goOn(at: next, or: other)
    }

    private func goOn(at next: UpstreamAddress?, or other: FallbackForwarding?) {
        if let next {
            tryAgain(at: next)
        } else if let other {
            fallBack(to: other)
        }
    }

    private func tryAgain(at next: UpstreamAddress) {
        forgetAnswer()
        machine.retry()
        attempt(next)
    }

    private func failed(by failure: ForwardingFailure, isReplayable: Bool) -> FailedForwarding {
        FailedForwarding(
            tried: triedLately, plan: plan, isReplayable: isReplayable,
            responseStarted: machine.responseStarted, failure: failure)
    }

    func error(for failure: ForwardingFailure) -> ServingError {
        let endpoint = tried.last.map(\.description) ?? "none"
        return switch failure {
        case .connectFailed:
            ServingError(.unavailable, "Endpoint \(endpoint) cannot be reached")
        case .localFault(let fault):
            ServingError(
                .unavailable,
                "The gateway can open no connection: \(fault.text); \(fault.remedy)")
        case .connectionClosed:
            ServingError(
                .unavailable, "Endpoint \(endpoint) closed the connection before answering")
        case .unprocessed:
            ServingError(.unavailable, "Endpoint \(endpoint) took no more requests")
        case .noHTTP2:
            ServingError(
                .unavailable,
                subject.api == .grpc
                    ? "Endpoint \(endpoint) does not speak HTTP/2, which gRPC needs"
                    : "Endpoint \(endpoint) speaks HTTP/1.1, which cannot carry the request")
        case .full:
            ServingError(
                .unavailable,
                "Endpoint \(endpoint) has as many connections as it may (breakers)")
        case .upstreamLost, .refused, .serverError:
            ServingError(.unavailable, "Endpoint \(endpoint) failed")
        case .timedOut, .attemptTimedOut:
            ServingError(.deadlineExceeded, "Endpoint \(endpoint) did not answer in time")
        }
    }

    // MARK: Beside each other

    /// Sends the request to another upstream as well, if the policy says so; the first answer
    /// counts.
    ///
    /// Only a request that was sent whole, and of whose answer nothing has come.
    private func hedge() {
        hedgingTime = nil
        guard client != nil, let waiting = current, machine.mayHaveRival, httpStatus == 0 else {
            return
        }
        let now = ContinuousClock.now
        let decision = policy.hedge(
            WaitingForwarding(tried: triedLately, plan: plan, elapsed: now - waiting.start))
        switch decision {
        case .leave: return
        case .wait(let time):
            hedgingTime = now + time
            client?.didBegin()
        case .ask(let next):
            rivals.append(waiting)
            machine.retry()
            attempt(next)
            // Nobody reads from the client now, to let it go.
            current?.upstream?.flush()
        }
    }

    /// Lets an earlier attempt take the place of the last one, as it has answered first.
    ///
    /// Until its head has said that the answer is good, the last one may still be needed.
    func promote(_ attempt: Int) -> Bool {
        guard let index = rivals.firstIndex(where: { $0.number == attempt }) else { return false }
        let faster = rivals.remove(at: index)
        let slower = current
        if let slower, slower.upstream != nil, httpStatus == 0 {
            rivals.append(slower)
            goOn(with: faster)
        } else {
            // It has no connection yet, or has answered that it cannot.
            replaceCurrent(by: faster, after: .abandoned)
            slower?.upstream?.cancel()
        }
        return true
    }

    /// Lets the last of the earlier attempts take the place of one that came to nothing.
    private func promoteLast(after result: AttemptResult) -> Bool {
        guard let rival = rivals.popLast() else { return false }
        replaceCurrent(by: rival, after: result)
        // The time of an attempt is its own: this one may have had it by now.
        attemptTimeout = plan.attemptTimeout.map { rival.start + $0 }
        if attemptDeadline != nil { client?.didBegin() }
        return true
    }

    private func replaceCurrent(by rival: Attempt, after result: AttemptResult) {
        endAttempt(result)
        goOn(with: rival)
    }

    private func goOn(with rival: Attempt) {
        forgetAnswer()
        machine.goOn()
        current = rival
    }

    /// Ends attempts that another was faster than.
    func dropRivals() {
        let slower = rivals
        rivals = []
        for rival in slower {
            rival.upstream?.cancel()
            report(rival, .abandoned)
        }
    }
}
