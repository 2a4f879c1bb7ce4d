import MartletCore
public import MartletTelemetry
import NIOCore
import NIOPosix
import Synchronization

/// What came of asking an upstream for its load.
public enum LoadProbeOutcome: Sendable, Hashable {
    /// It said this.
    case report(LoadReport)
    /// It answered, and said nothing of its load that can be read.
    case silent
    /// There was no answer in time.
    case failed
}

extension UpstreamPools {
    /// Asks an upstream for its load, over a connection of those that requests take, too.
    ///
    /// - Parameters:
    ///   - address: the upstream.
    ///   - path: what is asked for, by GET.
    ///   - timeout: the longest wait for a connection and the answer together.
    /// - Returns: what came of it.
    public func probeLoad(
        of address: UpstreamAddress, path: String, timeout: Duration
    ) async -> LoadProbeOutcome {
        let eventLoop = eventLoops.group.next()
        return await withCheckedContinuation { continuation in
            let probe = LoadProbe(of: address, timeout: timeout) {
                continuation.resume(returning: $0)
            }
            eventLoop.execute {
                do {
                    try probe.send(
                        path: path, connector: self.http1(on: eventLoop), limits: self.limits,
                        eventLoop: eventLoop)
                } catch {
                    continuation.resume(returning: .failed)
                }
            }
        }
    }
}

/// One question for an upstream's load: a policy that knows a single request.
private final class LoadProbe: ForwardingPolicy {
    private let address: UpstreamAddress
    private let plan: ForwardingPlan
    private let completion: @Sendable (LoadProbeOutcome) -> Void
    private let outcome = Mutex(LoadProbeOutcome.failed)

    init(
        of address: UpstreamAddress, timeout: Duration,
        completion: @escaping @Sendable (LoadProbeOutcome) -> Void
    ) {
        self.address = address
        self.completion = completion
        var plan = ForwardingPlan(isIdempotent: false, holdsResponse: false)
        plan.timeout = timeout
        self.plan = plan
    }

    /// Sends it; ``completion`` is called once unless this throws.
    func send(
        path: String, connector: HTTP1UpstreamPool, limits: ForwardingLimits,
        eventLoop: any EventLoop
    ) throws {
        var parser = HTTP1HeadParser<HTTP1Head>()
        var bytes = ByteBuffer(string: "GET \(path) HTTP/1.1\r\nhost: \(address.authority)\r\n\r\n")
        guard let head = try parser.next(from: &bytes, limits: HTTP1Limits()) else {
            throw ServingError.invalidArgument("'\(path)' is no path")
        }
        var changes = ForwardingChanges()
        changes.request.added = [
            .init(LoadReport.requestHeaderName, LoadReport.Form.text.rawValue)
        ]
        ShadowClient<HTTP1Wire>.send(
            subject: ForwardedRequest(
                api: .rest, method: head.method, path: head.path,
                context: RequestContext(remoteAddress: "")),
            head: HTTP1ForwardedHead(head, clientAddress: nil, changes: changes), content: [],
            plan: plan, forwarder: ForwarderCore(policy: self, limits: limits),
            connector: connector, eventLoop: eventLoop)
    }

    func plan(for request: ForwardedRequest) -> ForwardingPlan { plan }

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) { completion(.forward(plan)) }

    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        address
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? { nil }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision { .leave }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? { nil }

    func didReport(
        _ reading: LoadReading, from upstream: UpstreamAddress, _ plan: ForwardingPlan
    ) {
        if case .report(let report) = reading { outcome.withLock { $0 = .report(report) } }
    }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        guard case .answered = attempt.result else { return }
        outcome.withLock { if $0 == .failed { $0 = .silent } }
    }

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        completion(self.outcome.withLock { $0 })
    }
}
