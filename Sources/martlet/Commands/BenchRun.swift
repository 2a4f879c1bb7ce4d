import Foundation
import MartletBench

/// Runs the stretches of load of one command, and puts what came into a report.
struct BenchRun {
    let targets: [BenchTarget]
    let api: BenchAPI
    let model: String
    let load: BenchLoadOptions
    let rounds: Int
    let connections: Int

    let startedAt = Date().timeIntervalSince1970

    /// One target, one load.
    func once(_ arrivals: Arrivals, view: BenchLiveView) async -> BenchReport {
        let seconds = load.seconds(arrivals)
        let plan = load.plan(arrivals, seconds: seconds)
        var report = report(arrivals, seconds: seconds)
        for target in targets {
            let snapshot = await run(target, plan, view, "\(model) at \(target.name)")
            report.targets.append(self.report(target, snapshot, seconds: seconds, plan))
        }
        return warned(report)
    }

    /// Two targets in turns.
    func compare(_ arrivals: Arrivals, view: BenchLiveView) async -> BenchReport {
        let seconds = load.seconds(arrivals)
        let part = max(0.1, seconds / Double(rounds))
        var snapshots: [[LoadCollector.Snapshot]] = [[], []]
        let first = load.plan(arrivals, seconds: part)
        // Connections and caches are warm from the round before.
        let later = load.plan(
            arrivals, seconds: part, warmUp: min(load.warmUpSeconds, part / 5))
        for (turn, index) in Comparison.order(rounds: rounds).enumerated() {
            let plan = snapshots[index].isEmpty ? first : later
            let title = "Turn \(turn + 1) of \(2 * rounds): \(model) at \(targets[index].name)"
            snapshots[index].append(await run(targets[index], plan, view, title))
        }
        var report = report(arrivals, seconds: part * Double(rounds))
        for (target, rounds) in zip(targets, snapshots) {
            var whole = LoadCollector.Snapshot()
            for round in rounds { whole.add(round) }
            report.targets.append(
                self.report(target, whole, seconds: part * Double(rounds.count), later))
        }
        report.comparison = ComparisonReport(snapshots[0], snapshots[1], seconds: part)
        return warned(report)
    }

    /// One target, at the rates that a search asks for; reported is the highest that was kept.
    func saturate(seed: UInt64, view: BenchLiveView) async -> BenchReport {
        let slo = load.sloP99Ms ?? 0
        let seconds = load.duration ?? 5
        var ramp = SaturationRamp(
            .init(p99: UInt64(slo * 1e6), errorShare: load.sloErrorsPercent / 100),
            start: load.startRate)
        var best: (rate: Double, snapshot: LoadCollector.Snapshot)?
        var last: (rate: Double, snapshot: LoadCollector.Snapshot)?
        while case .attempt(let rate) = ramp.step {
            var plan = load.plan(load.open(rate: rate, seed: seed), seconds: seconds)
            // What is late by so much has missed its objective; nobody has to wait for more.
            plan.drain = min(plan.drain, UInt64(slo * 2e6) + 200_000_000)
            let title = "\(Int(rate.rounded())) requests/s, trial \(ramp.trials.count + 1)"
            let snapshot = await run(targets[0], plan, view, title)
            let trial = SaturationRamp.Trial(rate: rate, snapshot: snapshot, seconds: seconds)
            last = (rate, snapshot)
            if ramp.isKept(trial), rate >= best?.rate ?? 0 { best = (rate, snapshot) }
            ramp.record(trial)
        }
        let shown = best ?? last ?? (load.startRate, LoadCollector.Snapshot())
        let arrivals = load.open(rate: shown.rate, seed: seed)
        var report = report(arrivals, seconds: seconds)
        let plan = load.plan(arrivals, seconds: seconds)
        report.targets = [self.report(targets[0], shown.snapshot, seconds: seconds, plan)]
        report.saturation = SaturationReport(ramp, rate: best?.rate, sloP99Ms: slo)
        return warned(report)
    }

    // MARK: Parts

    private func run(
        _ target: BenchTarget, _ plan: BenchPlan, _ view: BenchLiveView, _ title: String
    ) async -> LoadCollector.Snapshot {
        await target.run(plan) { view.show(title, plan, $0) }
    }

    private func report(_ arrivals: Arrivals, seconds: Double) -> BenchReport {
        var settings = BenchReport.Settings(
            arrivals, connections: connections, threads: load.threads, durationSeconds: seconds)
        settings.sloP99Ms = load.sloP99Ms
        return BenchReport(startedAt: startedAt, settings: settings, targets: [])
    }

    private func report(
        _ target: BenchTarget, _ snapshot: LoadCollector.Snapshot, seconds: Double,
        _ plan: BenchPlan
    ) -> TargetReport {
        TargetReport(
            name: target.name, api: api, model: model, requests: target.requests,
            snapshot: snapshot, seconds: seconds, plan: plan)
    }

    private func warned(_ report: BenchReport) -> BenchReport {
        var report = report
        report.warnings = report.targets.flatMap { $0.warnings() }
        return report
    }
}
