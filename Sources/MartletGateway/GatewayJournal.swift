import Logging
import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization

/// Writes each forwarded request into the metrics and the access log.
final class GatewayJournal: Sendable {
    private struct Labels: Hashable {
        let api: RequestAPI
        let endpoint: UpstreamAddress?
        /// The status of HTTP or gRPC.
        let code: Int
    }

    private let requests: CounterFamily
    private let restDurations: Histogram
    private let grpcDurations: Histogram
    private let retries: [AttemptFailure: Counter]
    private let ejections: CounterFamily
    private let refusals: CounterFamily
    private let hedges: CounterFamily
    private let shed: CounterFamily
    private let loadReportsTaken: Counter
    private let loadReportsIgnored: Counter
    private let probes: CounterFamily
    private let floods: HTTP2FloodCounters
    private let spentTokens: SpentTokens
    private let fallbacks: FallbackCounter
    let localFaults: LocalFaultJournal
    private let accessLog: AccessLog
    // Looked up once: the lookup by label values costs more than the increment.
    private let counters = Mutex<[Labels: Counter]>([:])

    init(metrics: MetricsRegistry, accessLog: AccessLog) {
        requests = metrics.counterFamily(
            "martlet_gateway_requests_total",
            help: "Requests answered, by the endpoint tried last and the outcome.",
            labelNames: ["api", "endpoint", "code"])
        let durationFamily = metrics.histogramFamily(
            "martlet_gateway_request_duration_seconds",
            help: "Time from a request's head to the end of its response.", labelNames: ["api"])
        let retryFamily = metrics.counterFamily(
            "martlet_gateway_retries_total",
            help: "Attempts beyond a request's first, by why the one before failed.",
            labelNames: ["reason"])
        ejections = metrics.counterFamily(
            "martlet_gateway_ejections_total",
            help: "Endpoints taken out of use for a while for how they answered, by why.",
            labelNames: ["endpoint", "cause"])
        refusals = metrics.counterFamily(
            "martlet_gateway_refusals_total",
            help: "Requests that were not let in, by why.", labelNames: ["reason"])
        hedges = metrics.counterFamily(
            "martlet_gateway_hedges_total",
            help:
                "Requests that waited long, by whether they were sent to another endpoint too, or "
                + "why not.", labelNames: ["outcome"])
        shed = metrics.counterFamily(
            "martlet_gateway_shed_total",
            help: "Requests refused as their pool has as many as it can bear, by priority.",
            labelNames: ["priority"])
        let loadReports = metrics.counterFamily(
            "martlet_gateway_load_reports_total",
            help: "Load reports that came with answers, by whether they could be read.",
            labelNames: ["outcome"])
        loadReportsTaken = loadReports.with("taken")
        loadReportsIgnored = loadReports.with("malformed")
        probes = metrics.counterFamily(
            "martlet_gateway_probes_total",
            help: "Endpoints asked for their load between health checks, by what came of it.",
            labelNames: ["outcome"])
        floods = HTTP2FloodCounters(in: metrics)
        spentTokens = SpentTokens(metrics)
        fallbacks = FallbackCounter(metrics)
        localFaults = LocalFaultJournal(metrics)
        restDurations = durationFamily.with(RequestAPI.rest.rawValue)
        grpcDurations = durationFamily.with(RequestAPI.grpc.rawValue)
        retries = Dictionary(
            uniqueKeysWithValues: AttemptFailure.allCases.map {
                ($0, retryFamily.with($0.rawValue))
            })
        self.accessLog = accessLog
    }

    /// Counts the tokens of an answer.
    func didSpend(_ spend: TokenSpend, tenant: String, model: String) {
        spentTokens.add(spend, tenant: tenant, model: model)
    }

    /// Counts that a model was asked in place of another, or of another pool.
    func didFallBack(to fallback: String, insteadOf model: String, _ reason: FallbackReason) {
        fallbacks.add(fallback, insteadOf: model, reason)
    }

    func didRetry(_ failure: AttemptFailure) { retries[failure]?.increment() }

    func didHedge() { hedges.with("sent").increment() }

    func didNotHedge(_ reason: HedgeDecision.LeaveReason) {
        hedges.with(reason.rawValue).increment()
    }

    func didShed(_ priority: RequestPriority) { shed.with(priority.rawValue).increment() }

    func didTakeLoadReport() { loadReportsTaken.increment() }

    /// Counts a load report that could not be read.
    func didIgnoreLoadReport() { loadReportsIgnored.increment() }

    func didProbe(_ outcome: ProbeGate.Outcome) { probes.with(outcome.rawValue).increment() }

    /// Counts a connection that was ended for a flood.
    func didEnd(_ flood: HTTP2Flood) { floods.count(flood) }

    /// Counts and logs that an endpoint was ejected or returned.
    func note(_ change: EjectionChange, _ logger: Logger) {
        if case .ejected(let id, let cause, _) = change {
            ejections.with(id.address, cause.label).increment()
        }
        logger.log(change)
    }

    /// Counts a request that was not let in.
    func didRefuse(_ reason: AccessRefusal.Reason) { refusals.with(reason.rawValue).increment() }

    /// Logs what happened to a canary.
    func note(_ event: CanaryController.Event?, of route: String, _ logger: Logger) {
        guard let event else { return }
        let metadata: Logger.Metadata = ["route": "\(route)", "event": "\(event)"]
        if case .rolledBack = event {
            logger.warning("canary is rolled back", metadata: metadata)
        } else {
            logger.info("canary", metadata: metadata)
        }
    }

    func didFinish(_ outcome: ForwardedOutcome) {
        let elapsed = ContinuousClock.now - outcome.context.start
        let status = status(of: outcome)
        let durations = outcome.api == .rest ? restDurations : grpcDurations
        durations.observe(seconds: elapsed.seconds)
        counter(outcome, status).increment()
        guard accessLog.isEnabled else { return }
        accessLog.record(
            AccessLogEntry(
                api: outcome.api, method: method(of: outcome), path: outcome.path, status: status,
                requestBytes: outcome.requestBytes, responseBytes: outcome.responseBytes,
                durationNanoseconds: UInt64(max(0, elapsed.seconds) * 1e9),
                remoteAddress: outcome.context.remoteAddress,
                endpoint: outcome.tried.last?.description, attempts: outcome.tried.count))
    }

    private func method(of outcome: ForwardedOutcome) -> String {
        guard outcome.api == .grpc else { return outcome.method }
        return String(outcome.path.split(separator: "/").last ?? "")
    }

    private func status(of outcome: ForwardedOutcome) -> AccessLogEntry.Status {
        guard outcome.api == .grpc else {
            // 499: nginx's number for a client that hung up first.
            return .http(outcome.httpStatus == 0 ? 499 : outcome.httpStatus)
        }
        return .grpc((outcome.grpcStatus ?? .cancelled).name)
    }

    private func counter(
        _ outcome: ForwardedOutcome, _ status: AccessLogEntry.Status
    ) -> Counter {
        let number =
            switch status {
            case .http(let number): number
            case .grpc: outcome.grpcStatus?.rawValue ?? StatusCode.cancelled.rawValue
            }
        let labels = Labels(api: outcome.api, endpoint: outcome.tried.last, code: number)
        return counters.withLock { counters in
            if let known = counters[labels] { return known }
            let code =
                switch status {
                case .http(let number): String(number)
                case .grpc(let name): name
                }
            let made = requests.with(
                labels.api.rawValue, labels.endpoint?.description ?? "", code)
            counters[labels] = made
            return made
        }
    }
}
