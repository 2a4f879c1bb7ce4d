import Foundation
import MartletCore
import MartletTelemetry
import Testing

@Suite("Control group")
final class ControlGroupTests {
    private let root = NSTemporaryDirectory() + "martlet-machine-\(UUID().uuidString)"

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private func write(_ text: String, to path: String) throws {
        let file = URL(fileURLWithPath: root + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private var files: SystemFiles { SystemFiles(root: root) }

    @Test func allowance_isThatOfTheKernelsFiles() throws {
        try write("0-63\n", to: "/sys/devices/system/cpu/online")
        try write("Name:\tx\nCpus_allowed_list:\t0-3,8\n", to: "/proc/self/status")
        #expect(ProcessorAllowance(files: files) == ProcessorAllowance(online: 64, affinity: 5))
        try write("0::/\n", to: "/proc/self/cgroup")
        try write("cpu memory\n", to: "/sys/fs/cgroup/cgroup.controllers")
        try write("150000 100000\n", to: "/sys/fs/cgroup/cpu.max")
        #expect(ProcessorAllowance(files: files).cores == 2)
        #expect(ProcessorAllowance(files: files).quota == 1.5)
    }

    @Test func ofGroupsAboveEachOther_theNarrowestBoundCounts() throws {
        try write("0::/outer/inner\n", to: "/proc/self/cgroup")
        try write("cpu\n", to: "/sys/fs/cgroup/cgroup.controllers")
        try write("100000 100000\n", to: "/sys/fs/cgroup/outer/cpu.max")
        try write("max 100000\n", to: "/sys/fs/cgroup/outer/inner/cpu.max")
        try write("1073741824\n", to: "/sys/fs/cgroup/outer/memory.max")
        try write("max\n", to: "/sys/fs/cgroup/outer/inner/memory.max")
        let group = ControlGroup(files: files)
        #expect(group.processorQuota == 1)
        #expect(group.memoryLimit == 1 << 30)
    }

    @Test func groupsOfVersionOne_areKnownToo() throws {
        try write("4:memory:/a\n2:cpu,cpuacct:/\n0::/../b\n", to: "/proc/self/cgroup")
        try write("250000\n", to: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        try write("100000\n", to: "/sys/fs/cgroup/cpu/cpu.cfs_period_us")
        try write("9223372036854771712\n", to: "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        let group = ControlGroup(files: files)
        #expect(group.processorQuota == 2.5)
        #expect(group.memoryLimit == nil)
        try write("1000\n", to: "/sys/fs/cgroup/memory/a/memory.limit_in_bytes")
        #expect(ControlGroup(files: files).memoryLimit == 1000)
    }

    @Test func withoutAnyFile_theSystemsCountStands() {
        let allowance = ProcessorAllowance(files: files)
        #expect(allowance.cores >= 1)
        #expect(allowance.quota == nil)
        #expect(ControlGroup(files: files).memoryLimit == nil)
    }

    @Test func thisProcess_hasAtLeastOneCore() {
        #expect(ProcessorAllowance.ofProcess.cores >= 1)
    }
}
