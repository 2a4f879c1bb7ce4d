import MartletCore
import MartletTelemetry
import NIOCore

/// Runs an ``ExchangeMachine``: the shell around the functional core.
final class Exchange<Wire: ForwardingWire> {
    let subject: ForwardedRequest
    /// What was decided, by the head of the request and perhaps by its body.
    var plan: ForwardingPlan
    /// Makes what an upstream gets of the head, where that is still to be done.
    private(set) var forwardedHead: ((ForwardingChanges?) -> Wire.RequestHead)?
    private var isHeadPending = false
    let eventLoop: any EventLoop
    /// The longest body that is waited for to decide by it.
    let messageBytesMax: Int
    private let forwarder: ForwarderCore
    let connector: any UpstreamConnector<Wire>
    var machine: ExchangeMachine<Wire>
    private(set) var client: (any ExchangeClient<Wire>)?
    /// The attempt whose answer is awaited or passed on.
    var current: Attempt?
    /// Earlier ones that may still answer first.
    var rivals: [Attempt] = []
    var tried: [UpstreamAddress] = []
    /// How many of them were asked before the plan that is at hand.
    var triedBefore = 0
    /// When the first was asked by the plan that is at hand.
    var firstAttempt: ContinuousClock.Instant?
    /// When the last of the request came, where an upstream was asked before.
    var requestEnd: ContinuousClock.Instant?
    /// When the attempt that is under way has taken too long; `nil` for never.
    var attemptTimeout: ContinuousClock.Instant?
    /// When it is asked whether there is another beside it; `nil` for never.
    var hedgingTime: ContinuousClock.Instant?
    /// The stream of events that is passed on, where its times are watched.
    var stream: WatchedStream?
    var isStarting = false
    var isAwaitingBody = false
    /// Bytes of an answer that no upstream gave.
    var ownBytes = 0
    var isAnswered = false
    /// Whether the answer was broken off, and not by its client.
    var isBroken = false
    private var isConcluded = false
    /// The answer as it is told of in the end; `nil` where it is not, or no longer.
    var answer: HTTPResponse?
    private var isReadingPaused = false
    private var reserved = 0
    var httpStatus = 0
    var grpcStatus: StatusCode?

    var policy: any ForwardingPolicy { forwarder.policy }

    /// An attempt under way.
    struct Attempt {
        /// Tells late news of earlier attempts apart; the first is 1.
        let number: Int
        let address: UpstreamAddress
        let start: ContinuousClock.Instant
        /// `nil` as long as there is no connection.
        var upstream: (any UpstreamExchange<Wire>)?
    }

    init(
        subject: ForwardedRequest, client: any ExchangeClient<Wire>, forwarder: ForwarderCore,
        connector: any UpstreamConnector<Wire>, messageBytesMax: Int, eventLoop: any EventLoop,
        plan decided: ForwardingPlan? = nil
    ) {
        self.messageBytesMax = messageBytesMax
        self.eventLoop = eventLoop
        self.subject = subject
        self.client = client
        self.connector = connector
        self.forwarder = forwarder
        plan = decided ?? forwarder.policy.plan(for: subject)
        machine = ExchangeMachine(
            holdLimit: plan.holdsResponse ? forwarder.limits.replayBytes : 0,
            replayLimit: forwarder.limits.replayBytes)
    }

    deinit { forwarder.budget.release(reserved) }

    // MARK: Client

    /// Takes the head of the request.
    ///
    /// - Parameters:
    ///   - isEnd: whether the request has no content.
    ///   - content: all of its content, where that has come already.
    ///   - forwarded: makes what the upstream gets of it.
    func receiveHead(
        isEnd: Bool, content: ByteBuffer? = nil,
        _ forwarded: @escaping (ForwardingChanges?) -> Wire.RequestHead
    ) {
        if plan.awaitedBodyBytes != nil {
            forwardedHead = forwarded
            isHeadPending = true
            if isEnd { machine.endWithHead() }
        } else if let content, !plan.keepsRequest {
            receive(.whole(forwarded(plan.changes), content))
            return
        } else {
            if plan.keepsRequest { forwardedHead = forwarded }
            receive(.head(forwarded(plan.changes), isEnd: isEnd))
        }
        if let content {
            if content.readableBytes > 0 { receive(.body(content)) }
            receive(.end(nil))
        }
    }

    /// Begins the first attempt.
    ///
    /// Whoever calls it calls ``timedOut()`` when the client's patience is at its end.
    func start() {
        if let refusal = plan.refusal {
            giveUp(refusal.error, fields: refusal.fields)
        } else if plan.awaitedBodyBytes != nil {
            awaitBody()
        } else {
            forward()
        }
    }

    func forward() {
        if isHeadPending, let forwardedHead {
            machine.putFirst(
                .head(
                    forwardedHead(plan.changes), isEnd: machine.requestEnded && !machine.hasContent)
            )
            isHeadPending = false
        }
        if plan.keepsRequest { machine.keepsRequest = true }
        if !plan.keepsRequest, !plan.mayFallBack { forwardedHead = nil }
        do throws(ForwardingRefusal) {
            let first = try policy.firstUpstream(plan)
            machine.beginAttempt()
            isStarting = true
            attempt(first)
            isStarting = false
        } catch {
            guard let other = fallback(after: nil) else {
                giveUp(error.error, fields: error.fields)
                return
            }
            fallBack(to: other)
        }
    }

    func receive(_ part: RequestPart<Wire>) {
        noteEnd(of: part)
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
    func clientReadComplete() { current?.upstream?.flush() }

    func clientWritabilityChanged(_ isWritable: Bool) {
        current?.upstream?.setReading(isWritable)
        if stream != nil { pauseStream(!isWritable) }
        // No more is read until some of it is written, so nobody else would let it go.
        if !isWritable { client?.flush() }
    }

    // MARK: Both sides

    func setClientReading(_ isReading: Bool) {
        guard isReadingPaused == isReading else { return }
        isReadingPaused = !isReading
        client?.setReading(isReading)
    }

    func accountForMemory() {
        let growth = machine.keptBytes - reserved
        if growth > 0, !forwarder.budget.reserve(growth) {
            machine.stopKeeping()
        } else if growth > 0 {
            reserved += growth
        }
    }

    /// What was reserved for an answer that is larger than a socket's queue; `nil` where little was.
    func memoryOfAnswer() -> KeptMemory? {
        let bytes = min(reserved, machine.responseBytes)
        guard bytes > Self.queuedBytes else { return nil }
        reserved -= bytes
        return KeptMemory(bytes: bytes, of: forwarder.budget)
    }

    /// About what a channel takes before it is full.
    private static var queuedBytes: Int { 64 << 10 }

    // MARK: Decisions

    func perform(_ action: ExchangeMachine<Wire>.Action) {
        switch action {
        case .sendUpstream(let part): current?.upstream?.send(part)
        case .beginUpstream(let parts):
            // One that fails meanwhile gets the rest, not the one that is asked in its place.
            let upstream = current?.upstream
            for part in parts { upstream?.send(part) }
        case .decide(let failure, let isReplayable): decide(failure, isReplayable: isReplayable)
        case .abortClient:
            let endpoint = tried.last.map(\.description) ?? "none"
            endAttempt(.failed(.connectionClosed))
            breakOff(
                telling: ServingError(.unavailable, "Endpoint \(endpoint) broke off its answer"))
        case .cancelUpstream:
            current?.upstream?.cancel()
            endAttempt(.abandoned)
        }
    }

    /// How the client is told over HTTP why its request is refused.
    func answer(telling fault: RequestFault) -> HTTPResponse {
        fault.httpResponse(
            body: policy.body(telling: fault.error, status: fault.status, to: subject))
    }

    func timedOut() {
        guard client != nil else { return }
        let hasStarted = httpStatus != 0 && machine.responseStarted
        current?.upstream?.cancel()
        // What a client does not wait for says nothing of the endpoint.
        endAttempt(subject.context.deadline.hasPassed() ? .abandoned : .failed(.timedOut))
        if hasStarted {
            breakOff(telling: error(for: .timedOut))
        } else {
            giveUp(error(for: .timedOut))
        }
    }

    func giveUp(_ error: ServingError, fields: HeaderFields = [:]) {
        machine.giveUp()
        answer = nil
        httpStatus = error.code == .unavailable ? 503 : error.code.httpStatus
        grpcStatus = error.code
        conclude()
        client?.sendError(error, fields: fields)
        finish()
    }

    /// Tells what came of the request, once.
    ///
    /// Before the last of the answer leaves: whoever has it finds the request counted, and its
    /// place in each limit free.
    func conclude() {
        guard client != nil, !isConcluded else { return }
        isConcluded = true
        dropRivals()
        policy.didFinish(outcome, plan)
    }

    private var outcome: ForwardedOutcome {
        ForwardedOutcome(
            api: subject.api, method: subject.method, path: subject.path,
            httpStatus: httpStatus, grpcStatus: grpcStatus, tried: tried,
            requestBytes: machine.requestBytes,
            responseBytes: machine.responseBytes + ownBytes,
            context: subject.context, answer: isAnswered ? answer : nil, isBroken: isBroken,
            sent: sent)
    }

    func finish() {
        guard client != nil else { return }
        conclude()
        // The connection may carry another request.
        setClientReading(true)
        client = nil
        if plan.keepsRequest { sendCopy(of: outcome) }
    }

    /// Sends what the client asked somewhere else as well, where the policy says so.
    private func sendCopy(of outcome: ForwardedOutcome) {
        let content = machine.takeContent()
        guard isAnswered, let content, let forwardedHead,
            let plan = policy.copy(of: outcome, plan)
        else { return }
        ShadowClient<Wire>.send(
            subject: subject.ofCopy, head: forwardedHead(plan.changes), content: content,
            plan: plan,
            forwarder: forwarder, connector: connector, eventLoop: eventLoop)
    }
}
