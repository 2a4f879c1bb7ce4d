import MartletCore
import NIOCore

/// The client's side of an exchange.
///
/// Bound to the client connection's event loop.
protocol ExchangeClient<Wire>: AnyObject {
    associatedtype Wire: ForwardingWire

    /// Passes parts of a response to the client; they leave with the next ``flush()``.
    func send(_ parts: [ResponsePart<Wire>])

    /// Lets go what was sent.
    func flush()

    /// Answers with an error of the gateway's own.
    func sendError(_ error: ServingError, fields: HeaderFields)

    /// Answers without an upstream.
    func sendAnswer(_ answer: HTTPResponse)

    /// The exchange has another plan.
    func didDecide()

    /// An attempt has begun that has a time of its own.
    func didBegin()

    /// Breaks a response off that has been begun.
    func abort()

    /// Reads more of the request, or pauses.
    func setReading(_ isReading: Bool)

    /// The response is complete. `requestEnded` tells whether the request was read whole.
    func didFinish(requestEnded: Bool)
}

/// The upstream's side of an attempt.
///
/// Bound to the same event loop.
protocol UpstreamExchange<Wire>: AnyObject {
    associatedtype Wire: ForwardingWire

    /// Whether it takes more of the request without buffering.
    var isWritable: Bool { get }

    /// Passes parts of the request to the upstream; they leave with the next ``flush()``.
    func send(_ parts: [RequestPart<Wire>])

    /// Lets go what was sent.
    func flush()

    /// Ends the attempt without its response.
    func cancel()

    /// Reads more of the response, or pauses.
    func setReading(_ isReading: Bool)

    /// The response is complete; `isReusable` when the connection can serve another request.
    func didFinish(isReusable: Bool)
}

/// Opens attempts at upstreams.
protocol UpstreamConnector<Wire> {
    associatedtype Wire: ForwardingWire

    /// Opens an attempt on `eventLoop`; reports to the exchange by ``Exchange/opened(_:attempt:)``
    /// or ``Exchange/failed(_:attempt:)``.
    func open(_ address: UpstreamAddress, for exchange: Exchange<Wire>, attempt: Int)
}

/// Runs an ``ExchangeMachine``: the shell around the functional core.
final class Exchange<Wire: ForwardingWire> {
    private let subject: ForwardedRequest
    /// What was decided, by the head of the request and perhaps by its body.
    private(set) var plan: ForwardingPlan
    /// Makes what the upstream gets of the head, where that is still to be decided.
    private var pendingHead: ((ForwardingChanges?) -> Wire.RequestHead)?
    private let eventLoop: any EventLoop
    /// The longest body that is waited for to decide by it.
    private let messageBytesMax: Int
    private let policy: any ForwardingPolicy
    private let connector: any UpstreamConnector<Wire>
    private let budget: ReplayBudget
    private var machine: ExchangeMachine<Wire>
    private var client: (any ExchangeClient<Wire>)?
    private var upstream: (any UpstreamExchange<Wire>)?
    private var tried: [UpstreamAddress] = []
    private var attemptStart: ContinuousClock.Instant?
    private var isStarting = false
    private var isAwaitingBody = false
    /// Bytes of an answer that no upstream gave.
    private var ownBytes = 0
    private var isAnswered = false
    /// The answer as it is told of in the end; `nil` where it is not, or no longer.
    private var answer: HTTPResponse?
    private var isReadingPaused = false
    private var reserved = 0
    private var httpStatus = 0
    private var grpcStatus: StatusCode?

    init(
        subject: ForwardedRequest, client: any ExchangeClient<Wire>, forwarder: ForwarderCore,
        connector: any UpstreamConnector<Wire>, messageBytesMax: Int, eventLoop: any EventLoop
    ) {
        self.messageBytesMax = messageBytesMax
        self.eventLoop = eventLoop
        self.subject = subject
        self.client = client
        self.connector = connector
        policy = forwarder.policy
        budget = forwarder.budget
        plan = forwarder.policy.plan(for: subject)
        machine = ExchangeMachine(
            holdLimit: plan.holdsResponse ? forwarder.limits.replayBytes : 0,
            replayLimit: forwarder.limits.replayBytes)
    }

    deinit { budget.release(reserved) }

    // MARK: Client

    /// Takes the head of the request.
    ///
    /// - Parameters:
    ///   - isEnd: whether the request has no content.
    ///   - forwarded: makes what the upstream gets of it.
    func receiveHead(
        isEnd: Bool, _ forwarded: @escaping (ForwardingChanges?) -> Wire.RequestHead
    ) {
        if plan.awaitedBodyBytes == nil {
            receive(.head(forwarded(plan.changes), isEnd: isEnd))
        } else {
            pendingHead = forwarded
            if isEnd { machine.endWithHead() }
        }
    }

    /// How long the client waits, of which the longest is `timeout`.
    func patience(_ timeout: Duration) -> TimeAmount {
        let timeout = plan.timeout ?? timeout
        let left = subject.context.deadline.instant.map { $0 - .now }
        return TimeAmount(left.map { min($0, timeout) } ?? timeout)
    }

    /// Begins the first attempt.
    ///
    /// Whoever calls it calls ``timedOut()`` when the client's patience is at its end.
    func start() {
        if let refusal = plan.refusal {
            giveUp(refusal.error, fields: refusal.fields)
        } else if plan.awaitedBodyBytes != nil {
            isAwaitingBody = true
            machine.awaitedBytes = min(plan.awaitedBodyBytes ?? 0, messageBytesMax)
            decideByBody()
        } else {
            forward()
        }
    }

    private func forward() {
        if let pendingHead {
            machine.putFirst(
                .head(pendingHead(plan.changes), isEnd: machine.requestEnded && !machine.hasContent)
            )
            self.pendingHead = nil
        }
        guard let first = policy.firstUpstream(plan) else {
            giveUp(ServingError(.unavailable, "No healthy endpoint to forward the request to"))
            return
        }
        machine.beginAttempt()
        isStarting = true
        attempt(first)
        isStarting = false
    }

    // MARK: Requests that are decided on by their body

    /// Asks the policy when all of the body is there, or more than it asked for.
    private func decideByBody() {
        guard isAwaitingBody, let limit = plan.awaitedBodyBytes else { return }
        let isTooLong = machine.requestBytes > min(limit, messageBytesMax)
        guard
            isTooLong || machine.requestEnded || plan.awaitsFirstMessage && machine.hasFirstMessage
        else { return }
        isAwaitingBody = false
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        policy.decide(plan, body: isTooLong ? nil : machine.requestBody) { decision in
            if eventLoop.inEventLoop {
                bound.value.take(decision)
            } else {
                eventLoop.execute { bound.value.take(decision, isLate: true) }
            }
        }
    }

    private func take(_ decision: ForwardingDecision, isLate: Bool = false) {
        guard let client else { return }
        switch decision {
        case .forward(let plan):
            self.plan = plan
            client.didDecide()
            // The body may be too long for what was decided.
            guard self.client != nil else { return }
            forward()
            // Nobody else lets go what was decided between two reads.
            upstream?.flush()
        case .refuse(let refusal): giveUp(refusal.error, fields: refusal.fields)
        case .answer(let answer):
            machine.giveUp()
            ownBytes = answer.body.count
            httpStatus = answer.status
            client.sendAnswer(answer.changed(by: plan.changes?.response ?? FieldChanges()))
            finish()
        }
    }

    func receive(_ part: RequestPart<Wire>) {
        if let action = machine.receive(part) { perform(action) }
        if isAwaitingBody { decideByBody() }
        if !machine.wantsMoreRequest { setClientReading(false) }
        accountForMemory()
    }

    func clientClosed() {
        if let action = machine.clientClosed() { perform(action) }
        finish()
    }

    /// The client was told by the connection itself why its request is refused.
    func refused(status: Int, code: StatusCode) {
        httpStatus = status
        grpcStatus = code
        clientClosed()
    }

    /// The client has said all it has to say for now: head and body go out in one write.
    func clientReadComplete() { upstream?.flush() }

    /// The upstream has said all it has to say for now.
    func upstreamReadComplete(attempt: Int) {
        guard attempt == tried.count, machine.responseStarted else { return }
        client?.flush()
    }

    func clientWritabilityChanged(_ isWritable: Bool) {
        upstream?.setReading(isWritable)
        // No more is read until some of it is written, so nobody else would let it go.
        if !isWritable { client?.flush() }
    }

    // MARK: Upstream

    /// An attempt has its connection.
    ///
    /// `attempt` tells late news of earlier attempts apart.
    func opened(_ upstream: any UpstreamExchange<Wire>, attempt: Int) {
        guard attempt == tried.count, attemptStart != nil else {
            upstream.cancel()
            return
        }
        self.upstream = upstream
        if let action = machine.opened() { perform(action) }
        // On a connection that was at hand, more of the request may follow in this very read.
        if !isStarting { upstream.flush() }
        if upstream.isWritable { setClientReading(true) }
    }

    /// Whether an attempt that was asked for is still of use.
    func awaits(_ attempt: Int) -> Bool { attempt == tried.count && attemptStart != nil }

    func receive(_ part: ResponsePart<Wire>, attempt: Int) {
        guard attempt == tried.count, client != nil else { return }
        note(part)
        if part.isEnd, isToldElsewhere() { return }
        for action in machine.receive(part) { perform(action) }
        accountForMemory()
    }

    /// Whether the answer, which is complete and which the client has seen nothing of, is dropped
    /// for another upstream's.
    private func isToldElsewhere() -> Bool {
        guard plan.isIdempotent, machine.isReplayable, !machine.responseStarted,
            let failure = ForwardingFailure(httpStatus: httpStatus, grpcStatus: grpcStatus),
            let next = policy.nextUpstream(after: failed(by: failure, isReplayable: true))
        else { return false }
        let upstream = upstream
        endAttempt(.answered(httpStatus: httpStatus, grpcStatus: grpcStatus))
        upstream?.didFinish(isReusable: machine.requestEnded)
        tryAgain(at: next)
        return true
    }

    // MARK: Attempts that take too long

    /// The upstream was found to be dead: whatever can be asked elsewhere is.
    func upstreamLost(attempt: Int) {
        guard attempt == tried.count else { return }
        abandonAttempt(.upstreamLost)
    }

    /// When the attempt that is under way is to be looked at; `nil` for never.
    private(set) var attemptDeadline: ContinuousClock.Instant?

    /// The time of one attempt is up.
    func attemptTimedOut() {
        attemptDeadline = nil
        abandonAttempt(.attemptTimedOut)
    }

    /// Goes on elsewhere; with nowhere to go, the answer may still come.
    private func abandonAttempt(_ failure: ForwardingFailure) {
        guard client != nil, attemptStart != nil, plan.isIdempotent, machine.isReplayable,
            !machine.responseStarted,
            let next = policy.nextUpstream(after: failed(by: failure, isReplayable: true))
        else { return }
        let upstream = upstream
        endAttempt(.failed(failure))
        upstream?.cancel()
        tryAgain(at: next)
    }

    private func tryAgain(at next: UpstreamAddress) {
        httpStatus = 0
        grpcStatus = nil
        answer = nil
        machine.retry()
        attempt(next)
    }

    private func failed(
        by failure: ForwardingFailure, isReplayable: Bool
    ) -> FailedForwarding {
        FailedForwarding(
            tried: tried, plan: plan, isReplayable: isReplayable,
            responseStarted: machine.responseStarted, failure: failure)
    }

    func failed(_ failure: ForwardingFailure, attempt: Int) {
        guard attempt == tried.count else { return }
        upstream = nil
        if let action = machine.failed(failure) { perform(action) }
    }

    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int) {
        guard attempt == tried.count else { return }
        setClientReading(isWritable)
        if !isWritable { upstream?.flush() }
    }

    private func setClientReading(_ isReading: Bool) {
        guard isReadingPaused == isReading else { return }
        isReadingPaused = !isReading
        client?.setReading(isReading)
    }

    private func note(_ part: ResponsePart<Wire>) {
        switch part {
        case .head(let head, _):
            httpStatus = Wire.httpStatus(of: head)
            grpcStatus = Wire.grpcStatus(head: head, trailers: nil)
            if Wire.isStream(head) { machine.stopHolding() }
            answer = plan.keptAnswerBytes.map { _ in
                HTTPResponse(status: httpStatus, headers: Wire.fields(of: head))
            }
        case .end(let trailers):
            grpcStatus = Wire.grpcStatus(head: nil, trailers: trailers) ?? grpcStatus
        case .body(let bytes):
            guard let limit = plan.keptAnswerBytes, let count = answer?.body.count else { return }
            if count + bytes.readableBytes > limit {
                answer = nil
            } else {
                answer?.body.append(contentsOf: bytes.readableBytesView)
            }
        }
    }

    private func accountForMemory() {
        let growth = machine.keptBytes - reserved
        if growth > 0, !budget.reserve(growth) {
            machine.stopKeeping()
        } else if growth > 0 {
            reserved += growth
        }
    }

    // MARK: Decisions

    private func attempt(_ address: UpstreamAddress) {
        tried.append(address)
        let now = ContinuousClock.now
        attemptStart = now
        attemptDeadline = plan.attemptTimeout.map { now + $0 }
        policy.didBegin(at: address, plan)
        if attemptDeadline != nil { client?.didBegin() }
        connector.open(address, for: self, attempt: tried.count)
    }

    private func endAttempt(_ result: AttemptResult) {
        guard let start = attemptStart, let last = tried.last else { return }
        attemptStart = nil
        upstream = nil
        policy.didEnd(EndedAttempt(upstream: last, result: result, duration: .now - start), plan)
    }

    private func perform(_ action: ExchangeMachine<Wire>.Action) {
        switch action {
        case .sendUpstream(let parts): upstream?.send(parts)
        case .sendClient(let parts): client?.send(parts)
        case .decide(let failure, let isReplayable, let responseStarted):
            decide(failure, isReplayable: isReplayable, responseStarted: responseStarted)
        case .abortClient:
            endAttempt(.failed(.connectionClosed))
            client?.abort()
            finish()
        case .cancelUpstream:
            upstream?.cancel()
            endAttempt(.abandoned)
        case .finish(let isReusable):
            let upstream = upstream
            isAnswered = true
            client?.flush()
            endAttempt(.answered(httpStatus: httpStatus, grpcStatus: grpcStatus))
            upstream?.didFinish(isReusable: isReusable)
            client?.didFinish(requestEnded: isReusable)
            finish()
        }
    }

    private func decide(
        _ failure: ForwardingFailure, isReplayable: Bool, responseStarted: Bool
    ) {
        endAttempt(.failed(failure))
        let failed = failed(by: failure, isReplayable: isReplayable)
        guard let next = policy.nextUpstream(after: failed) else {
            giveUp(error(for: failure))
            return
        }
        tryAgain(at: next)
    }

    private func error(for failure: ForwardingFailure) -> ServingError {
        let endpoint = tried.last.map(\.description) ?? "none"
        return switch failure {
        case .connectFailed:
            ServingError(.unavailable, "Endpoint \(endpoint) cannot be reached")
        case .connectionClosed:
            ServingError(
                .unavailable, "Endpoint \(endpoint) closed the connection before answering")
        case .unprocessed:
            ServingError(.unavailable, "Endpoint \(endpoint) took no more requests")
        case .upstreamLost, .refused, .serverError:
            ServingError(.unavailable, "Endpoint \(endpoint) failed")
        case .timedOut, .attemptTimedOut:
            ServingError(.deadlineExceeded, "Endpoint \(endpoint) did not answer in time")
        }
    }

    func timedOut() {
        guard client != nil else { return }
        let hasStarted = httpStatus != 0 && machine.responseStarted
        upstream?.cancel()
        // What a client does not wait for says nothing of the endpoint.
        endAttempt(subject.context.deadline.hasPassed() ? .abandoned : .failed(.timedOut))
        if hasStarted {
            machine.giveUp()
            client?.abort()
            finish()
        } else {
            giveUp(error(for: .timedOut))
        }
    }

    private func giveUp(_ error: ServingError, fields: HeaderFields = [:]) {
        machine.giveUp()
        answer = nil
        httpStatus = error.code == .unavailable ? 503 : error.code.httpStatus
        grpcStatus = error.code
        client?.sendError(error, fields: fields)
        finish()
    }

    private func finish() {
        guard client != nil else { return }
        // The connection may carry another request.
        setClientReading(true)
        client = nil
        policy.didFinish(
            ForwardedOutcome(
                api: subject.api, method: subject.method, path: subject.path,
                httpStatus: httpStatus, grpcStatus: grpcStatus, tried: tried,
                requestBytes: machine.requestBytes,
                responseBytes: machine.responseBytes + ownBytes,
                context: subject.context, answer: isAnswered ? answer : nil), plan)
    }
}
