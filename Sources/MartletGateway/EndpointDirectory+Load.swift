import MartletTelemetry
import MartletTransport
import Synchronization

/// What endpoints tell of their load, along with answers or to probes.
extension EndpointDirectory {
    /// Takes a load report in that came with an answer.
    func take(_ report: LoadReport, from address: UpstreamAddress) {
        let now = now
        let sample = LoadSample(report)
        state.withLock { $0.balancer.report(address.id, sample, now: now) }
    }

    /// The endpoints that the algorithm wants to hear of now.
    func endpointsToProbe() -> [UpstreamAddress] {
        let now = now
        return state.withLock { state in
            state.balancer.endpointsToProbe(now: now).compactMap { state.endpoints[$0]?.address }
        }
    }

    /// Takes the answer to a probe in.
    ///
    /// - Returns: whether it told how many requests the endpoint has.
    func takeProbe(_ report: LoadReport, from address: UpstreamAddress) -> Bool {
        guard let requests = report.requestsInFlight else { return false }
        let now = now
        // Bounds far beyond any endpoint, within which nothing overflows.
        let inFlight = Int(min(max(requests, 0), 1e9))
        let latency = report.latencySeconds.map { Duration.seconds(min(max($0, 0), 3600)) }
        state.withLock {
            $0.balancer.probe(address.id, inFlight: inFlight, latency: latency, now: now)
        }
        return true
    }
}

/// What an endpoint says of the prompts that its language models keep computed.
struct EndpointMemory: Sendable, Equatable {
    /// How many tokens there is room for; nil where it has not said.
    var cacheTokens: Int?
    /// When it began, in seconds since 1970; nil where it has not said.
    var start: Double?
}

extension EndpointMemory {
    init(_ report: LoadReport) {
        // A bound far beyond any endpoint, within which nothing overflows.
        cacheTokens = report.kvTokensTotal.flatMap { $0 >= 1 ? Int(min($0, 1e9)) : nil }
        start = report.startSeconds
    }
}

extension EndpointDirectoryState {
    /// Takes in what an endpoint says of what it keeps.
    ///
    /// One that began anew between two checks was never found unhealthy.
    mutating func take(_ memory: EndpointMemory, of id: EndpointID, now: Duration) {
        if let tokens = memory.cacheTokens { balancer.setCacheTokens(id, tokens, now: now) }
        guard let start = memory.start else { return }
        let before = endpoints[id]?.start
        endpoints[id]?.start = start
        if let before, before != start { balancer.didRestart(id, now: now) }
    }
}

extension EndpointDirectory {
    /// What was guessed of prompts that were sent to endpoints; nil for algorithms that do not go by
    /// prompts.
    var prefixBlocks: PrefixBlocks? { state.withLock { $0.balancer.prefixBlocks } }
}

extension LoadSample {
    /// What a report says of rates, and of the resource that is used most.
    init(_ report: LoadReport) {
        self.init(
            rps: report.requestsPerSecond, eps: report.errorsPerSecond,
            utilization: max(report.applicationUtilization, report.cpuUtilization))
    }
}
