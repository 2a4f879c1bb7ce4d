import ArgumentParser
import Foundation
import MartletBench
import MartletCore

/// How requests of an open loop arrive.
enum ArrivalArgument: String, ExpressibleByArgument, CaseIterable {
    case constant
    case poisson
}

/// How much load `martlet bench` makes, and for how long.
struct BenchLoadOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Requests in flight: as soon as one is answered another is sent (a closed loop).",
            valueName: "n"))
    var concurrency: Int?

    @Option(
        help: ArgumentHelp(
            "Requests a second, sent at their times whether answers have come or not (an open "
                + "loop).", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            "With --rate: constant distances, or poisson, as many independent clients would.",
            valueName: "arrivals"))
    var arrivals = ArrivalArgument.constant

    @Option(
        help: ArgumentHelp(
            "Replay when requests came: a time in seconds on each line.", valueName: "file"))
    var trace: String?

    @Option(
        help: ArgumentHelp(
            "Each line of --trace is the number of requests in an interval of this length.",
            valueName: "seconds"))
    var traceIntervalSeconds: Double?

    @Option(
        help: ArgumentHelp("Replay the trace so many times faster.", valueName: "factor"))
    var traceSpeed = 1.0

    @Option(
        help: ArgumentHelp(
            "How long requests are counted, in seconds; 10 unless set, or as long as the trace.",
            valueName: "seconds"))
    var duration: Double?

    @Option(help: ArgumentHelp("How long they are sent before that.", valueName: "seconds"))
    var warmUpSeconds = 1.0

    @Option(
        help: ArgumentHelp("Longest wait for a connection or an answer.", valueName: "seconds"))
    var timeoutSeconds = 10.0

    @Option(
        help: ArgumentHelp(
            "Connections to each target; one for each request in flight over HTTP/1.1, up to 8 "
                + "for gRPC unless set.", valueName: "n"))
    var connections: Int?

    @Option(help: ArgumentHelp("Threads that send.", valueName: "n"))
    var threads = 1

    @Option(
        name: .customLong("slo-p99-ms"),
        help: ArgumentHelp(
            "What the 99th percentile has to keep to; the exit code is 1 if it does not.",
            valueName: "ms"))
    var sloP99Ms: Double?

    @Flag(
        help: ArgumentHelp(
            "Search the highest rate that keeps to --slo-p99-ms, by trials of --duration each."))
    var findSaturation = false

    @Option(
        help: ArgumentHelp(
            "With --find-saturation: share of requests that may fail, in percent.",
            valueName: "percent"))
    var sloErrorsPercent = 0.1

    @Option(
        help: ArgumentHelp("With --find-saturation: the first rate tried.", valueName: "n"))
    var startRate = 100.0

    func validate() throws {
        try check("--concurrency", concurrency.map(Double.init), 1...100_000)
        try check("--rate", rate, 0.001...1e7)
        try check("--trace-speed", traceSpeed, 1e-6...1e6)
        try check("--trace-interval-seconds", traceIntervalSeconds, 1e-6...1e6)
        try check("--duration", duration, 0.1...1e6)
        try check("--warm-up-seconds", warmUpSeconds, 0...1e5)
        try check("--timeout-seconds", timeoutSeconds, 0.001...1e5)
        try check("--connections", connections.map(Double.init), 1...20_000)
        try check("--threads", Double(threads), 1...256)
        try check("--slo-p99-ms", sloP99Ms, 0.001...1e7)
        try check("--slo-errors-percent", sloErrorsPercent, 0...100)
        try check("--start-rate", startRate, 1...1e7)
        let loops = [
            ("--concurrency", concurrency != nil), ("--rate", rate != nil),
            ("--trace", trace != nil), ("--find-saturation", findSaturation),
        ].filter(\.1).map(\.0)
        guard loops.count < 2 else {
            throw ValidationError("\(loops.joined(separator: " and ")) exclude each other")
        }
        guard arrivals == .constant || rate != nil || findSaturation else {
            throw ValidationError("--arrivals is for --rate and --find-saturation")
        }
        guard !findSaturation || sloP99Ms != nil else {
            throw ValidationError("--find-saturation needs --slo-p99-ms, what is to be kept to")
        }
        guard traceIntervalSeconds == nil && traceSpeed == 1 || trace != nil else {
            throw ValidationError("--trace-interval-seconds and --trace-speed are for --trace")
        }
    }

    private func check(_ flag: String, _ value: Double?, _ range: ClosedRange<Double>) throws {
        guard let value, !range.contains(value) else { return }
        let texts = [value, range.lowerBound, range.upperBound].map { String(format: "%.7g", $0) }
        throw ValidationError("\(flag) is \(texts[0]); use \(texts[1]) to \(texts[2])")
    }

    /// Requests in flight of a closed loop.
    private var inFlight: Int { concurrency ?? 16 }

    /// When requests are due.
    ///
    /// - Throws: `ServingError` that names the file of a trace and what is wrong with it.
    func schedule(seed: UInt64) throws -> Arrivals {
        if let trace {
            guard let text = try? String(contentsOf: URL(fileURLWithPath: trace), encoding: .utf8)
            else { throw ServingError.invalidArgument("'\(trace)' (--trace) cannot be read") }
            return .trace(
                try TraceFile.read(text, interval: traceIntervalSeconds, speed: traceSpeed))
        }
        guard let rate else { return .closed(concurrency: inFlight) }
        return open(rate: rate, seed: seed)
    }

    /// An open loop of a rate.
    func open(rate: Double, seed: UInt64) -> Arrivals {
        arrivals == .poisson ? .poisson(rate: rate, seed: seed) : .constant(rate: rate)
    }

    /// Seconds that are counted.
    func seconds(_ arrivals: Arrivals) -> Double {
        if let duration { return duration }
        // A trace is counted to its last request.
        if case .trace(let times) = arrivals, let last = times.last {
            return max(0.1, Double(last) / 1e9 + 0.001)
        }
        return 10
    }

    /// The plan of one stretch of load.
    func plan(_ arrivals: Arrivals, seconds: Double, warmUp: Double? = nil) -> BenchPlan {
        var plan = BenchPlan(arrivals, duration: UInt64(seconds * 1e9))
        // What a trace holds is counted from its first request.
        let isTrace = if case .trace = arrivals { true } else { false }
        plan.warmUp = isTrace ? 0 : UInt64((warmUp ?? warmUpSeconds) * 1e9)
        plan.timeout = UInt64(timeoutSeconds * 1e9)
        plan.drain = plan.timeout
        return plan
    }

    /// Connections to each target.
    func connections(isGRPC: Bool, isOpen: Bool) -> Int {
        if let connections { return max(connections, threads) }
        let usual = isGRPC ? min(8, isOpen ? 8 : inFlight) : isOpen ? 128 : inFlight
        return max(usual, threads)
    }
}
