import Foundation
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletOperations

@Suite("Checks of a machine")
struct MachineChecksTests {
    private var facts = MachineFacts(processors: ProcessorAllowance(online: 8), openFiles: 1024)

    private func check(_ name: String, _ facts: MachineFacts) throws -> DoctorCheck {
        try #require(DoctorCheck.machine(facts).first { $0.name == name })
    }

    @Test func quotaBelowOneProcessor_warns() throws {
        var facts = facts
        #expect(try check("processors", facts).verdict == .ok)
        facts.processors.quota = 1.5
        #expect(try check("processors", facts).verdict == .ok)
        #expect(try check("processors", facts).found == "8 processors, quota 1.5: 2 at once")
        facts.processors.quota = 0.5
        #expect(try check("processors", facts).verdict == .warn)
    }

    @Test func processor_isJudgedByWhatEnginesNeed() throws {
        var facts = facts
        #expect(try check("features", facts).verdict == .ok)
        facts.processorFlags = ["sse2"]
        #expect(try check("features", facts).verdict == .fail)
        facts.processorFlags = ["avx"]
        #expect(try check("features", facts).verdict == .warn)
        facts.processorModel = "X"
        facts.processorFlags = ["avx", "avx2", "avx512f"]
        let exact = try check("features", facts)
        #expect(exact.verdict == .ok)
        #expect(
            exact.found == "X: avx avx2 avx512f; no bf16: --precision fast is the same as exact")
        facts.processorFlags.insert("amx_bf16")
        #expect(try check("features", facts).found.hasSuffix("computes in bf16"))
    }

    @Test func memoryNodesAndClock_areNamedWhereThereAreAny() throws {
        var facts = facts
        #expect(DoctorCheck.machine(facts).count == 2)
        (facts.memoryNodes, facts.governor, facts.hugePages) = (2, "powersave", "madvise")
        #expect(try check("memory nodes", facts).verdict == .warn)
        #expect(try check("clock", facts).verdict == .warn)
        #expect(try check("huge pages", facts).found.contains("madvise"))
        facts.governor = "performance"
        #expect(try check("clock", facts).verdict == .ok)
    }

    @Test func facts_areReadFromTheKernelsFiles() throws {
        let root = NSTemporaryDirectory() + "martlet-facts-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let texts = [
            "/proc/cpuinfo":
                "processor\t: 0\nmodel name\t: Swift 9000\nflags\t\t: avx avx2\n\nprocessor\t: 1\n",
            "/proc/meminfo": "MemTotal:       2048 kB\nMemAvailable:   1024 kB\n",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
            "/sys/devices/system/node/node0/cpulist": "0\n",
            "/sys/devices/system/node/node1/cpulist": "1\n",
            "/sys/devices/system/node/possible": "0-1\n",
        ]
        for (path, text) in texts {
            let file = URL(fileURLWithPath: root + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let facts = MachineFacts(files: SystemFiles(root: root), openFiles: 7)
        #expect(facts.processorModel == "Swift 9000")
        #expect(facts.processorFlags == ["avx", "avx2"])
        #expect(facts.memory == 2048 * 1024)
        #expect(facts.memoryAvailable == 1024 * 1024)
        #expect(facts.usableMemory == facts.memory)
        #expect(facts.hugePages == "madvise")
        #expect(facts.governor == "performance")
        #expect(facts.memoryNodes == 2)
        #expect(facts.openFiles == 7)
    }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 << 20, "200 MiB"),
        (3 << 30, "3.0 GiB"),
    ])
    func bytes_areWrittenForPeople(bytes: Int, text: String) {
        #expect(byteText(bytes) == text)
    }
}
