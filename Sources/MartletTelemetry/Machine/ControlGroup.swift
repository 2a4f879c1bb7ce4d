public import MartletCore

/// The control group of this process, of either version, and what it bounds.
///
/// A group's bounds hold for those below it too, so that of all from it up to the root the
/// narrowest counts. In a container the group is often the root of what can be seen.
public struct ControlGroup: Sendable {
    private let files: SystemFiles
    /// Folders from the root down to the group, for each controller; `""` is that of version 2.
    private let folders: [String: [String]]

    /// Reads which group this process is in.
    public init(files: SystemFiles = SystemFiles()) {
        self.files = files
        var folders: [String: [String]] = [:]
        for line in (files.text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = String(parts[2])
            guard !parts[1].isEmpty else {
                let isUnified = files.text("/sys/fs/cgroup/cgroup.controllers") != nil
                let base = "/sys/fs/cgroup" + (isUnified ? "" : "/unified")
                folders[""] = ControlGroup.ancestry(of: path, below: base)
                continue
            }
            for controller in parts[1].split(separator: ",") {
                folders[String(controller)] = ControlGroup.ancestry(
                    of: path, below: "/sys/fs/cgroup/\(controller)")
            }
        }
        self.folders = folders
    }

    /// Processors' worth of time; `nil` without a bound.
    public var processorQuota: Double? {
        let second = folders["", default: []].compactMap { folder in
            files.text("\(folder)/cpu.max").flatMap(ProcessorAllowance.quota(cpuMax:))
        }
        let first = folders["cpu", default: []].compactMap { folder -> Double? in
            guard let time = files.text("\(folder)/cpu.cfs_quota_us"),
                let period = files.text("\(folder)/cpu.cfs_period_us")
            else { return nil }
            return ProcessorAllowance.quota(microseconds: time, period: period)
        }
        return (second + first).min()
    }

    /// Bytes of memory; `nil` without a bound.
    public var memoryLimit: Int? {
        let second = folders["", default: []].compactMap { files.number("\($0)/memory.max") }
        let first = folders["memory", default: []]
            .compactMap { files.number("\($0)/memory.limit_in_bytes") }
        // Version 1 writes a huge number for none.
        return (second + first).filter { $0 > 0 && $0 < 1 << 60 }.min()
    }

    /// How full memory is where it is bounded, from 0 to 1; nil without a bound.
    ///
    /// The fullest of the group and those above it counts. What files take that the kernel may drop
    /// does not.
    public var memoryFullness: Double? {
        let second = folders["", default: []].compactMap {
            fullness($0, limit: "memory.max", usage: "memory.current", droppable: "inactive_file")
        }
        let first = folders["memory", default: []].compactMap {
            fullness(
                $0, limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes",
                droppable: "total_inactive_file")
        }
        return (second + first).max()
    }

    /// The part of the last ten seconds in which some task of the group waited for memory, from 0
    /// to 1; nil where the kernel does not tell.
    public var memoryStall: Double? {
        folders["", default: []].last.flatMap { files.text("\($0)/memory.pressure") }
            .flatMap(MemoryPressure.stall(in:))
    }

    private func fullness(
        _ folder: String, limit: String, usage: String, droppable: String
    ) -> Double? {
        guard let limit = files.number("\(folder)/\(limit)"), limit > 0, limit < 1 << 60,
            let used = files.number("\(folder)/\(usage)")
        else { return nil }
        let statistics = files.text("\(folder)/memory.stat") ?? ""
        let line = statistics.split(separator: "\n").first { $0.hasPrefix(droppable + " ") }
        let dropped = line.flatMap { Int($0.dropFirst(droppable.count + 1)) } ?? 0
        return min(max(Double(used) - Double(dropped), 0) / Double(limit), 1)
    }

    private static func ancestry(of path: String, below base: String) -> [String] {
        var folder = base
        var folders = [base]
        // A path that leads out of what can be seen begins with "..".
        for part in path.split(separator: "/") where part != ".." {
            folder += "/\(part)"
            folders.append(folder)
        }
        return folders
    }
}

extension ProcessorAllowance {
    /// What this process may use, looked up once: it does not change as long as nobody changes the
    /// process's control group or affinity.
    public static let ofProcess = ProcessorAllowance(files: SystemFiles())

    /// Reads what this process may use.
    public init(files: SystemFiles) {
        let online = files.text("/sys/devices/system/cpu/online")
            .flatMap(ProcessorAllowance.count(list:))
        let affinity = files.value("Cpus_allowed_list", in: "/proc/self/status")
            .flatMap(ProcessorAllowance.count(list:))
        self.init(
            online: online ?? affinity ?? ProcessorAllowance.systemCount,
            affinity: affinity.map { min($0, online ?? $0) },
            quota: ControlGroup(files: files).processorQuota)
    }
}
