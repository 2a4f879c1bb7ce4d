import MartletTelemetry
import MartletTransport
import Synchronization

/// What endpoints tell of their load along with answers.
extension EndpointDirectory {
    /// Takes a load report in that came with an answer.
    func take(_ report: LoadReport, from address: UpstreamAddress) {
        let now = now
        let sample = LoadSample(report)
        state.withLock { $0.balancer.report(address.id, sample, now: now) }
    }
}

extension LoadSample {
    /// What a report says of rates, and of the resource that is used most.
    init(_ report: LoadReport) {
        self.init(
            rps: report.requestsPerSecond, eps: report.errorsPerSecond,
            utilization: max(report.applicationUtilization, report.cpuUtilization))
    }
}
