/// How much of a machine's processors a process may use.
///
/// Three bounds hold at once: what is online, the processors that the process may run on (its
/// affinity, as `taskset`, cpusets and Docker's `--cpuset-cpus` set it), and the time it is given
/// on them (its control group's quota, as Docker's `--cpus` and Kubernetes' limits set it).
public struct ProcessorAllowance: Sendable, Equatable {
    /// Processors that are online.
    public var online: Int

    /// Processors that the process may run on.
    public var affinity: Int

    /// Processors' worth of time that the process is given, such as 1.5; `nil` without a bound.
    public var quota: Double?

    /// Creates an allowance.
    public init(online: Int, affinity: Int? = nil, quota: Double? = nil) {
        self.online = max(1, online)
        self.affinity = max(1, affinity ?? online)
        self.quota = quota
    }

    /// Threads that can compute at once: a quota of 1.5 lets two run, at times.
    public var cores: Int {
        guard let quota, quota < Double(affinity) else { return affinity }
        return max(1, Int(quota.rounded(.up)))
    }

    /// Processors' worth of time there is for all threads together.
    public var time: Double { min(Double(affinity), quota ?? .infinity) }

    /// What bounds it, in words such as `2 of 8 processors, quota 1.5`.
    public var text: String {
        var text = affinity < online ? "\(affinity) of \(online)" : "\(affinity)"
        text += affinity == 1 && online == 1 ? " processor" : " processors"
        if let quota { text += ", quota \(quota)" }
        return text
    }
}

// MARK: The kernel's texts

extension ProcessorAllowance {
    /// The quota that a `cpu.max` of control groups version 2 states: a quota and a period in
    /// microseconds, such as `150000 100000`, or `max 100000`; `nil` for none.
    public static func quota(cpuMax text: String) -> Double? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2 else { return nil }
        return quota(microseconds: String(words[0]), period: String(words[1]))
    }

    /// The quota of control groups version 1: `cpu.cfs_quota_us`, -1 for none, and
    /// `cpu.cfs_period_us`.
    public static func quota(microseconds: String, period: String) -> Double? {
        guard let time = Double(trimmed(microseconds)), let period = Double(trimmed(period)),
            time > 0, period > 0, time.isFinite, period.isFinite
        else { return nil }
        return time / period
    }

    /// How many numbers a list such as `0-3,8,10-11` names; `nil` for another text.
    public static func count(list text: String) -> Int? {
        var count = 0
        for part in trimmed(text).split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], first >= 0,
                let last = ends[ends.count - 1], first <= last, last < 1 << 20
            else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }

    private static func trimmed(_ text: String) -> Substring {
        let isSpace: (Character) -> Bool = { $0.isWhitespace }
        return text[...].drop(while: isSpace).prefix { !isSpace($0) }
    }
}
