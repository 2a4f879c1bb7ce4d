internal import Foundation
public import MartletTelemetry

/// How the threads of a process fare, as the kernel counts it since they began.
public struct ProcessSample: Sendable, Equatable {
    /// Time they ran, summed over all, in nanoseconds.
    public var ranNanoseconds = 0
    /// Time they could have run and had to wait for a core, summed over all, in nanoseconds.
    public var waitedNanoseconds = 0
    /// Times that the kernel took a core from one of them that had more to do.
    public var preemptions = 0

    /// Creates a sample, for tests.
    public init(ranNanoseconds: Int = 0, waitedNanoseconds: Int = 0, preemptions: Int = 0) {
        self.ranNanoseconds = ranNanoseconds
        self.waitedNanoseconds = waitedNanoseconds
        self.preemptions = preemptions
    }

    /// Reads the counts of a process; `nil` if there is no such process, or it may not be looked
    /// at.
    public init?(process: Int, files: SystemFiles = SystemFiles()) {
        let threads = files.names(in: "/proc/\(process)/task")
        guard !threads.isEmpty else { return nil }
        for thread in threads {
            let folder = "/proc/\(process)/task/\(thread)"
            let counts = (files.text("\(folder)/schedstat") ?? "")
                .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            if counts.count >= 2 {
                ranNanoseconds &+= counts[0]
                waitedNanoseconds &+= counts[1]
            }
            let switches = files.value("nonvoluntary_ctxt_switches", in: "\(folder)/status")
            preemptions &+= switches.flatMap { Int($0) } ?? 0
        }
    }

    /// What happened since an earlier sample; threads that ended in between may make it less.
    public func since(_ earlier: ProcessSample) -> ProcessSample {
        ProcessSample(
            ranNanoseconds: max(0, ranNanoseconds &- earlier.ranNanoseconds),
            waitedNanoseconds: max(0, waitedNanoseconds &- earlier.waitedNanoseconds),
            preemptions: max(0, preemptions &- earlier.preemptions))
    }

    /// The time at which a process began, in seconds since 1970; `nil` if it cannot be told.
    ///
    /// A number alone does not tell a process of this machine from one in a container.
    public static func startSeconds(
        process: Int, now: Double, files: SystemFiles = SystemFiles()
    ) -> Double? {
        guard let text = files.text("/proc/\(process)/stat"),
            let nameEnd = text.lastIndex(of: ")"),
            let uptime = files.text("/proc/uptime")?.split(separator: " ").first
                .flatMap({ Double($0) })
        else { return nil }
        let fields = text[text.index(after: nameEnd)...].split(separator: " ")
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        // Field 22 of proc(5), where the first behind the name is field 3.
        guard fields.count > 19, let ticks = Double(fields[19]), ticksPerSecond > 0 else {
            return nil
        }
        return now - uptime + ticks / ticksPerSecond
    }
}
