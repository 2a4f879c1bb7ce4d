import MartletCore
public import MartletTelemetry

/// A node that runs, watched for a while.
public struct RunningNode: Sendable, Equatable {
    /// What users call it.
    public var name: String
    /// Its metrics at the beginning.
    public var first: NodeMetricsPage
    /// Its metrics at the end.
    public var last: NodeMetricsPage
    /// For how long it was watched, in seconds.
    public var seconds: Double
    /// What its threads did meanwhile; `nil` if it is on another machine, or cannot be looked at.
    public var process: ProcessSample?
    /// The text of `/proc/pressure/cpu`, where the kernel has it and the node is on this machine.
    public var pressure: String?

    /// Creates what was seen of a node.
    public init(
        name: String, first: NodeMetricsPage, last: NodeMetricsPage, seconds: Double
    ) {
        self.name = name
        self.first = first
        self.last = last
        self.seconds = seconds
    }

    /// The number of its process, if that is one of this machine.
    public static func localProcess(
        of page: NodeMetricsPage, now: Double, files: SystemFiles = SystemFiles()
    ) -> Int? {
        guard let process = page.processID,
            let told = page.value("process_start_time_seconds"),
            let seen = ProcessSample.startSeconds(process: process, now: now, files: files),
            (told - seen).magnitude < 1
        else { return nil }
        return process
    }
}

extension DoctorCheck {
    /// The share of their time that threads may wait for a core before it matters.
    private static let waitingShare = 0.2
    /// Waiting that matters, in cores' worth of time.
    private static let waitingCores = 0.1
    /// The share of time in which some thread of the machine waits, above which it matters.
    private static let pressurePercent = 25.0

    /// Checks of a node that runs.
    public static func running(_ node: RunningNode) -> [DoctorCheck] {
        guard let budget = node.last.threads else {
            return [
                DoctorCheck(
                    "node", of: node.name, .fail, "it answers, but does not tell of its threads",
                    remedy: "is it the address of a node of this version?")
            ]
        }
        let facts = NodeFacts(name: node.name, threads: budget, connections: 0)
        return [threads(facts, cores: budget.cores), load(node, cores: budget.cores)]
            + scheduling(node) + pressure(node)
    }

    static func load(_ node: RunningNode, cores: Int) -> DoctorCheck {
        func number(_ sample: String) -> Double { node.last.value(sample) ?? 0 }
        let cpu = "process_cpu_seconds_total"
        let used = number(cpu) - (node.first.value(cpu) ?? 0)
        let share = node.seconds > 0 ? used / node.seconds : 0
        let queue = number("martlet_queue_depth")
        // The request that asks is one of them.
        let inFlight = max(0, number("martlet_requests_in_flight") - 1)
        let found =
            "\(rounded(share)) of \(cores) cores busy, \(Int(clamping: inFlight)) requests in "
            + "flight, \(Int(clamping: queue)) in the queue"
        guard queue > 0 else { return DoctorCheck("load", of: node.name, .ok, found) }
        return DoctorCheck(
            "load", of: node.name, .warn, found,
            remedy: "predictions come faster than they are run: add nodes, or batch them "
                + "(--enable-batching)")
    }

    static func scheduling(_ node: RunningNode) -> [DoctorCheck] {
        guard let change = node.process, node.seconds > 0 else {
            return [
                DoctorCheck(
                    "scheduling", of: node.name, .ok,
                    "not looked at: its process is not one of this machine, or hidden")
            ]
        }
        let ran = Double(change.ranNanoseconds) / 1e9 / node.seconds
        let waited = Double(change.waitedNanoseconds) / 1e9 / node.seconds
        let preemptions = Int(clamping: (Double(change.preemptions) / node.seconds).rounded())
        let found =
            "threads ran \(rounded(ran)) s and waited \(rounded(waited)) s for a core in "
            + "each second, and were stopped \(preemptions) times"
        guard waited > waitingCores, waited > waitingShare * (ran + waited) else {
            return [DoctorCheck("scheduling", of: node.name, .ok, found)]
        }
        return [
            DoctorCheck(
                "scheduling", of: node.name, .warn, found,
                remedy: "more threads want to compute than there are cores for: lower "
                    + "--engine-threads, or move other programs and nodes away")
        ]
    }

    static func pressure(_ node: RunningNode) -> [DoctorCheck] {
        guard let text = node.pressure, let share = average(in: text) else { return [] }
        let found =
            "some thread of the machine waited for a core in \(rounded(share)) % of the "
            + "last 10 s"
        return [
            DoctorCheck(
                "pressure", of: "machine", share > pressurePercent ? .warn : .ok, found,
                remedy: share > pressurePercent
                    ? "the machine has too few cores for all that runs on it; 'top' shows what" : ""
            )
        ]
    }

    /// The average over 10 s of the line `some avg10=1.07 avg60=...`.
    private static func average(in text: String) -> Double? {
        for line in text.split(separator: "\n") where line.hasPrefix("some ") {
            for word in line.split(separator: " ") where word.hasPrefix("avg10=") {
                return Double(word.dropFirst("avg10=".count))
            }
        }
        return nil
    }

    private static func rounded(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e9 else { return "\(value)" }
        return "\((value * 100).rounded() / 100)"
    }
}

extension Int {
    /// The whole number nearest to zero that a number has, within bounds.
    fileprivate init(clamping value: Double) {
        self = value.isNaN ? 0 : Int(Swift.min(Swift.max(value, -1e15), 1e15))
    }
}
