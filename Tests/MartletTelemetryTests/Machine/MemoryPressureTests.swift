import Foundation
import MartletTelemetry
import Testing

@Suite("Memory pressure")
final class MemoryPressureTests {
    private let root = NSTemporaryDirectory() + "martlet-pressure-\(UUID().uuidString)"

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private func write(_ text: String, to path: String) throws {
        let file = URL(fileURLWithPath: root + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private var value: Double { MemoryPressure(files: SystemFiles(root: root)).value }

    private func writeMachine(available: Int) throws {
        try write(
            "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:   \(available) kB\n",
            to: "/proc/meminfo")
    }

    private func isAbout(_ figure: Double) -> Bool { abs(value - figure) < 1e-6 }

    @Test func withoutAnyFile_thereIsNone() {
        #expect(value == 0)
    }

    @Test(arguments: [(1000, 0.0), (200, 0), (125, 0.5), (50, 1), (0, 1), (2000, 0)])
    func machine_countsByWhatIsAvailable(available: Int, pressure: Double) throws {
        try writeMachine(available: available)
        #expect(isAbout(pressure))
    }

    @Test func group_countsByItsBoundAndWithoutWhatCanBeDropped() throws {
        try writeMachine(available: 900)
        try write("0::/outer/inner\n", to: "/proc/self/cgroup")
        try write("memory\n", to: "/sys/fs/cgroup/cgroup.controllers")
        try write("1000\n", to: "/sys/fs/cgroup/outer/memory.max")
        try write("975\n", to: "/sys/fs/cgroup/outer/memory.current")
        #expect(isAbout(1))
        try write("anon 1\ninactive_file 100\n", to: "/sys/fs/cgroup/outer/memory.stat")
        #expect(isAbout(0.5))
        // A group within without a bound of its own changes nothing.
        try write("max\n", to: "/sys/fs/cgroup/outer/inner/memory.max")
        try write("900\n", to: "/sys/fs/cgroup/outer/inner/memory.current")
        #expect(isAbout(0.5))
    }

    @Test func groupsOfVersionOne_countToo() throws {
        try write("4:memory:/a\n", to: "/proc/self/cgroup")
        try write("1000\n", to: "/sys/fs/cgroup/memory/a/memory.limit_in_bytes")
        try write("1000\n", to: "/sys/fs/cgroup/memory/a/memory.usage_in_bytes")
        try write(
            "inactive_file 9\ntotal_inactive_file 125\n",
            to: "/sys/fs/cgroup/memory/a/memory.stat")
        #expect(isAbout(0.5))
    }

    @Test func tasksThatWaitForMemory_countHoweverMuchIsFree() throws {
        try writeMachine(available: 900)
        func stall(_ percent: String) -> String {
            "some avg10=\(percent) avg60=90.00 avg300=0.00 total=1\nfull avg10=99.00 total=1\n"
        }
        try write(stall("1.00"), to: "/proc/pressure/memory")
        #expect(isAbout(0))
        try write(stall("5.50"), to: "/proc/pressure/memory")
        #expect(isAbout(0.5))
        try write("0::/a\n", to: "/proc/self/cgroup")
        try write("memory\n", to: "/sys/fs/cgroup/cgroup.controllers")
        try write(stall("40.00"), to: "/sys/fs/cgroup/a/memory.pressure")
        #expect(isAbout(1))
    }

    @Test(arguments: ["", "some\n", "some avg10=x\n", "full avg10=50.00\n", "\u{0}"])
    func whatCannotBeRead_countsAsNone(text: String) throws {
        for path in ["/proc/meminfo", "/proc/pressure/memory"] { try write(text, to: path) }
        #expect(value == 0)
    }
}
