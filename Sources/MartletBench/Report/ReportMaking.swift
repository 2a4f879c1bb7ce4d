import MartletCore

extension TargetReport {
    /// Puts what was counted into a report.
    ///
    /// - Parameters:
    ///   - name: the target.
    ///   - api: how it was asked.
    ///   - model: what was asked.
    ///   - requests: what was sent.
    ///   - snapshot: what came.
    ///   - seconds: how long it was counted.
    ///   - plan: how it was sent.
    public init(
        name: String, api: BenchAPI, model: String, requests: BenchRequests,
        snapshot: LoadCollector.Snapshot, seconds: Double, plan: BenchPlan
    ) {
        let total = snapshot.total
        self.name = name
        self.api = api.rawValue
        self.model = model
        request = requests.description
        ok = Int(total.latency.count)
        self.requests = ok + total.failed
        errors = total.failures.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.map {
            ErrorReport(
                code: $0.key, count: $0.value.count, sample: SampleText.short($0.value.sample))
        }
        rate = Double(total.answeredInTime) / seconds
        sentBytesPerSecond = rate * requests.bytes
        receivedBytesPerSecond = Double(total.bytes) / seconds
        latencyMs = LatencyReport(total.latency)
        percentiles = TargetReport.curve(total.latency)
        refusalLatencyMs = total.refusal.isEmpty ? nil : LatencyReport(total.refusal)
        stream =
            requests.isStreaming
            ? StreamReport(
                firstTokenMs: LatencyReport(total.firstToken),
                betweenTokensMs: LatencyReport(total.betweenTokens),
                tokensPerSecond: Double(total.tokens) / seconds) : nil
        client = ClientReport(
            processorSeconds: snapshot.processorSeconds,
            busiestThread: snapshot.busy.max() ?? 0,
            lagP99Ms: plan.arrivals.isOpen ? total.lag.value(at: 0.99).milliseconds : nil,
            waitedForConnection: total.waited)
        let interval = Double(plan.interval) / 1e9
        series = snapshot.points.enumerated().map { index, point in
            PointReport(
                at: min(Double(index + 1) * interval, seconds),
                rate: Double(point.answered) / interval, errors: Double(point.failed) / interval,
                p50Ms: point.p50.milliseconds, p99Ms: point.p99.milliseconds,
                maxMs: point.max.milliseconds)
        }
    }

    /// The curve of percentiles: closer and closer to 100 %, as far as there are answers for it.
    private static func curve(_ histogram: LatencyHistogram) -> [PercentileReport] {
        guard !histogram.isEmpty else { return [] }
        var shares = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85]
        var rest = 0.1
        while rest * Double(histogram.count) >= 0.5, rest > 1e-7 {
            shares += [1 - rest, 1 - rest * 0.7, 1 - rest * 0.5, 1 - rest * 0.3, 1 - rest * 0.2]
            rest /= 10
        }
        return shares.map {
            PercentileReport(percent: $0 * 100, ms: histogram.value(at: $0).milliseconds)
        } + [PercentileReport(percent: 100, ms: histogram.max.milliseconds)]
    }

    /// What a reader has to know before trusting the figures.
    public func warnings() -> [String] {
        var warnings: [String] = []
        if client.busiestThread > 0.9 {
            warnings.append(
                "A sending thread was busy \(Int(client.busiestThread * 100)) % of the time: this "
                    + "program may be what limits the rate to \(name); use more --threads or "
                    + "another machine")
        }
        if let lag = client.lagP99Ms, lag > max(1, latencyMs.p50 / 2) {
            warnings.append(
                "Requests to \(name) were begun up to \(lag.short) ms late (99th percentile) "
                    + "because this program was not scheduled in time; latencies include that")
        }
        if requests > 0, Double(client.waitedForConnection) > 0.01 * Double(requests) {
            warnings.append(
                "\(client.waitedForConnection) requests to \(name) waited for a free connection, "
                    + "and their latency includes that; --connections makes more")
        }
        return warnings
    }
}

extension LoadCollector.Snapshot {
    /// Adds what came in another round.
    public mutating func add(_ other: LoadCollector.Snapshot) {
        total.add(other.total)
        points += other.points
        busy += other.busy
        processorSeconds += other.processorSeconds
    }
}

extension SaturationReport {
    /// Puts a finished search into a report.
    public init(_ ramp: SaturationRamp, rate: Double?, sloP99Ms: Double) {
        self.rate = rate
        self.sloP99Ms = sloP99Ms
        trials = ramp.trials.map { trial, isKept in
            Trial(
                offered: trial.offered, answered: trial.answered, p99Ms: trial.p99.milliseconds,
                errorShare: trial.errorShare, isKept: isKept)
        }
    }
}

extension ComparisonReport {
    /// Compares two targets round by round.
    ///
    /// - Parameters:
    ///   - first: what came from the first, round by round.
    ///   - second: what came from the second.
    ///   - seconds: how long a round was counted.
    public init(
        _ first: [LoadCollector.Snapshot], _ second: [LoadCollector.Snapshot], seconds: Double
    ) {
        func ratio(_ figure: (LoadTally) -> Double) -> Estimate? {
            Comparison.ratio(first.map { figure($0.total) }, second.map { figure($0.total) })
        }
        rounds = min(first.count, second.count)
        rate = ratio { Double($0.answeredInTime) / seconds }
        mean = ratio { $0.latency.mean }
        p50 = ratio { Double($0.latency.value(at: 0.5)) }
        p99 = ratio { Double($0.latency.value(at: 0.99)) }
    }
}

extension SaturationRamp.Trial {
    /// What came of a rate.
    ///
    /// - Parameters:
    ///   - rate: the rate that was asked for.
    ///   - snapshot: what came.
    ///   - seconds: how long it was counted.
    public init(rate: Double, snapshot: LoadCollector.Snapshot, seconds: Double) {
        let total = snapshot.total
        let requests = Double(total.latency.count) + Double(total.failed)
        self.init(
            offered: requests / seconds, answered: Double(total.answeredInTime) / seconds,
            p99: total.latency.isEmpty ? .max : total.latency.value(at: 0.99),
            errorShare: requests > 0 ? Double(total.failed) / requests : 1)
    }
}
