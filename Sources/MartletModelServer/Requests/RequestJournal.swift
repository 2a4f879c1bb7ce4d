import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization

/// Writes each finished request into the metrics and the access log.
final class RequestJournal: Sendable {
    private let requests: CounterFamily
    private let durations: HistogramFamily
    private let inFlight: Gauge
    private let floods: HTTP2FloodCounters
    private let servingMetrics: ServingMetrics
    private let profiler: RequestProfiler?
    private let accessLog: AccessLog
    private let isKnownModel: @Sendable (String) -> Bool
    private let completedCount = Atomic<UInt64>(0)
    private let failedCount = Atomic<UInt64>(0)
    private let openCount = Atomic<Int>(0)
    private let latencies = Mutex(LatencyMeter())
    private let origin = ContinuousClock.now
    // Children looked up once: the lookup by label values costs more than the increment.
    private let children = Mutex<[Labels: Children]>([:])

    private struct Labels: Hashable {
        let model: String
        let version: String
        let signature: String
        let api: RequestAPI
        let operation: String
        let code: StatusCode
    }

    private struct Children {
        let requests: Counter
        let durations: Histogram
        /// Under TensorFlow Serving's names, for what it counts too.
        let servingRequests: Counter?
        let servingLatencies: Histogram?
    }

    /// Creates a journal; `isKnownModel` keeps names that clients made up out of the labels.
    init(
        metrics: MetricsRegistry, servingMetrics: ServingMetrics = ServingMetrics(),
        profiler: RequestProfiler? = nil, accessLog: AccessLog,
        isKnownModel: @escaping @Sendable (String) -> Bool
    ) {
        requests = metrics.counterFamily(
            "martlet_requests_total", help: "Requests answered, by outcome.",
            labelNames: ["model", "version", "signature", "api", "method", "code"])
        durations = metrics.histogramFamily(
            "martlet_request_duration_seconds",
            help: "Time from a request's head to its answer.",
            labelNames: ["model", "version", "signature", "api", "method"])
        inFlight = metrics.gauge(
            "martlet_requests_in_flight", help: "Requests received and not yet answered.")
        floods = HTTP2FloodCounters(in: metrics)
        self.servingMetrics = servingMetrics
        self.profiler = profiler
        self.accessLog = accessLog
        self.isKnownModel = isKnownModel
    }

    /// Counts of finished predictions, failed ones among them, and of all open requests.
    var counts: (completed: UInt64, failed: UInt64, open: Int) {
        (
            completedCount.load(ordering: .relaxed), failedCount.load(ordering: .relaxed),
            max(0, openCount.load(ordering: .relaxed))
        )
    }

    /// How long a prediction takes, in seconds, that finds so many requests open; `nil` before the
    /// first.
    func latency(inFlight: Int) -> Double? {
        let instant = nanoseconds(.now)
        return latencies.withLock { $0.seconds(inFlight: inFlight, instantNanoseconds: instant) }
    }

    private func nanoseconds(_ instant: ContinuousClock.Instant) -> UInt64 {
        UInt64(max(0, (instant - origin).seconds) * 1e9)
    }

    /// Counts a connection that was ended for a flood.
    func didEnd(_ flood: HTTP2Flood) { floods.count(flood) }

    /// Notes that a request has come in.
    func didReceive() {
        openCount.wrappingAdd(1, ordering: .relaxed)
        inFlight.increment()
    }

    /// Notes that a request that was received has been answered.
    func didAnswer(_ record: RequestRecord) {
        openCount.wrappingSubtract(1, ordering: .relaxed)
        inFlight.decrement()
        profiler?.record(record)
        write(record)
    }

    /// Writes a request down that was refused before it was received.
    func write(_ record: RequestRecord) {
        let now = ContinuousClock.now
        let elapsed = now - record.context.start
        if record.subject.isPrediction {
            countLoad(record.code)
            if record.code == .ok { noteLatency(elapsed.seconds, now: now) }
        }
        let children = children(of: record)
        children.requests.increment()
        children.durations.observe(seconds: elapsed.seconds)
        children.servingRequests?.increment()
        children.servingLatencies?.observe(elapsed.seconds * 1e6)
        // Health checks that pass would drown the rest.
        let isPassedCheck = record.subject.isHealthCheck && record.code == .ok
        guard accessLog.isEnabled, !isPassedCheck else { return }
        accessLog.record(
            AccessLogEntry(
                api: record.api, method: record.method, path: record.path, status: record.status,
                requestBytes: record.requestBytes, responseBytes: record.responseBytes,
                durationNanoseconds: UInt64(max(0, elapsed.seconds) * 1e9),
                remoteAddress: record.context.remoteAddress, model: record.subject.model,
                version: (record.subject.version ?? record.subject.requestedVersion.number).map(
                    String.init)))
    }

    private func noteLatency(_ seconds: Double, now: ContinuousClock.Instant) {
        let open = openCount.load(ordering: .relaxed)
        let instant = nanoseconds(now)
        latencies.withLock {
            $0.record(seconds: seconds, inFlight: open, instantNanoseconds: instant)
        }
    }

    private func countLoad(_ code: StatusCode) {
        completedCount.wrappingAdd(1, ordering: .relaxed)
        // What the client did wrong is no failure of this node.
        switch code {
        case .internal, .unknown, .unavailable, .dataLoss, .resourceExhausted, .deadlineExceeded:
            failedCount.wrappingAdd(1, ordering: .relaxed)
        default: break
        }
    }

    private func children(of record: RequestRecord) -> Children {
        let model = record.subject.model.flatMap { isKnownModel($0) ? $0 : nil }
        let version = version(of: record, model: model)
        let labels = Labels(
            model: model ?? "", version: version,
            signature: version.isEmpty ? "" : record.subject.signature ?? "", api: record.api,
            operation: record.subject.operation, code: record.code)
        if let known = children.withLock({ $0[labels] }) { return known }
        let api = ServingMetrics.API(operation: labels.operation)
        let made = Children(
            requests: requests.with(
                labels.model, labels.version, labels.signature, labels.api.rawValue,
                labels.operation, labels.code.name),
            durations: durations.with(
                labels.model, labels.version, labels.signature, labels.api.rawValue,
                labels.operation),
            servingRequests: api.map { _ in
                servingMetrics.requests(model: labels.model, code: labels.code)
            },
            // The original observes only requests that succeed.
            servingLatencies: labels.code == .ok
                ? api.map {
                    servingMetrics.latencies(
                        model: labels.model, api: $0, isREST: labels.api == .rest)
                } : nil)
        children.withLock { $0[labels] = made }
        return made
    }

    // A version nobody serves is a number that the client made up.
    private func version(of record: RequestRecord, model: String?) -> String {
        guard model != nil, record.code != .notFound, let version = record.subject.version else {
            return ""
        }
        return String(version)
    }
}

/// One finished request.
struct RequestRecord: Sendable {
    let api: RequestAPI
    let method: String
    let path: String
    let subject: RequestSubject
    let code: StatusCode
    let status: AccessLogEntry.Status
    let requestBytes: Int
    let responseBytes: Int
    let context: RequestContext
}

extension RequestRecord {
    /// Describes the end of a gRPC call, or of one request of a stream.
    init(_ call: GRPCCall, subject: RequestSubject, code: StatusCode, responseBytes: Int) {
        self.init(
            api: .grpc, method: RequestRecord.method(call.path), path: call.path,
            subject: subject, code: code, status: .grpc(code.name),
            requestBytes: call.message.count, responseBytes: responseBytes, context: call.context)
    }

    /// Describes the end of a stream.
    init(_ start: GRPCStreamStart, subject: RequestSubject, code: StatusCode) {
        self.init(
            api: .grpc, method: RequestRecord.method(start.path), path: start.path,
            subject: subject, code: code, status: .grpc(code.name), requestBytes: 0,
            responseBytes: 0, context: start.context)
    }

    private static func method(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }
}
