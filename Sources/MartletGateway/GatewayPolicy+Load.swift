import MartletTransport

/// What answers tell of their endpoints' load.
extension GatewayPolicy {
    func didReport(
        _ reading: LoadReading, from upstream: UpstreamAddress, _ plan: ForwardingPlan
    ) {
        guard let state = plan.state as? RequestState else { return }
        switch reading {
        case .report(let report):
            journal.didTakeLoadReport()
            state.pool.directory.take(report, from: upstream)
        case .malformed: journal.didIgnoreLoadReport()
        }
    }
}
