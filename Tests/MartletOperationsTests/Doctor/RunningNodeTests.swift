import Foundation
import MartletCore
import MartletTelemetry
import Testing

@testable import MartletOperations

@Suite("Checks of a node that runs")
struct RunningNodeTests {
    private func page(
        engine: Int = 2, cpu: Double = 0, queue: Int = 0
    ) -> NodeMetricsPage {
        NodeMetricsPage(
            """
            # HELP martlet_cores Cores.
            # TYPE martlet_cores gauge
            martlet_cores 2
            martlet_process_id 42
            martlet_threads{kind="engine"} \(engine)
            martlet_threads{kind="event_loop"} 2
            martlet_queue_depth \(queue)
            martlet_requests_in_flight 4
            process_cpu_seconds_total \(cpu)
            process_start_time_seconds 1000.5
            other 9
            martlet_broken x
            """)
    }

    private func checks(_ node: RunningNode) -> [String: DoctorCheck] {
        Dictionary(DoctorCheck.running(node).map { ($0.name, $0) }) { $1 }
    }

    @Test func page_isReadAsFarAsItIsNeeded() throws {
        let page = page()
        #expect(page.value("martlet_cores") == 2)
        #expect(page.value("other") == nil)
        #expect(page.value("martlet_broken") == nil)
        #expect(page.processID == 42)
        let threads = try #require(page.threads)
        #expect(threads.count(of: .engine) == 2)
        #expect(threads.count(of: .batch) == 0)
        #expect(NodeMetricsPage("").threads == nil)
        #expect(NodeMetricsPage("martlet_cores NaN\nmartlet_process_id 1e99").threads?.cores == 1)
    }

    @Test func nodeThatIsWell_isSaidToBe() {
        var node = RunningNode(name: "n", first: page(), last: page(cpu: 1), seconds: 2)
        var checks = checks(node)
        #expect(checks.values.allSatisfy { $0.verdict == .ok })
        #expect(
            checks["load"]?.found
                == "0.5 of 2 cores busy, 3 requests in flight, 0 in the queue")
        node.process = ProcessSample(ranNanoseconds: 1_000_000_000, waitedNanoseconds: 10_000_000)
        node.pressure = "some avg10=1.07 avg60=10.91 avg300=37.54 total=4\nfull avg10=0.00\n"
        checks = self.checks(node)
        #expect(checks["scheduling"]?.verdict == .ok)
        #expect(checks["pressure"]?.verdict == .ok)
    }

    @Test func threadsThatWaitForCores_areTold() {
        var node = RunningNode(
            name: "n", first: page(engine: 8), last: page(engine: 8, queue: 3), seconds: 1)
        node.process = ProcessSample(
            ranNanoseconds: 2_000_000_000, waitedNanoseconds: 5_000_000_000, preemptions: 900)
        node.pressure = "some avg10=88.00 avg60=10.91 avg300=37.54 total=4\n"
        let checks = checks(node)
        #expect(checks.values.allSatisfy { $0.verdict == .warn })
        #expect(
            checks["scheduling"]?.found
                == "threads ran 2.0 s and waited 5.0 s for a core in each second, and were stopped "
                + "900 times")
    }

    @Test func whatIsNoNode_fails() {
        let node = RunningNode(
            name: "n", first: NodeMetricsPage(""), last: NodeMetricsPage("x 1\n"), seconds: 1)
        #expect(DoctorCheck.running(node).map(\.verdict) == [.fail])
    }

    // MARK: Processes

    @Test func process_isLocalOnlyIfItBeganAtTheSameTime() throws {
        let root = NSTemporaryDirectory() + "martlet-process-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        func write(_ text: String, to path: String) throws {
            let file = URL(fileURLWithPath: root + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let fields = Array(repeating: "0", count: 18).joined(separator: " ")
        try write("500.00 9\n", to: "/proc/uptime")
        try write("42 (a ) b) S \(fields) 5000 0\n", to: "/proc/42/stat")
        let files = SystemFiles(root: root)
        // The machine began at 950.5; the process 50 s later, at 100 ticks a second.
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let now = 1000.5 - 5000 / ticks + 500
        #expect(RunningNode.localProcess(of: page(), now: now, files: files) == 42)
        #expect(RunningNode.localProcess(of: page(), now: now + 60, files: files) == nil)
        #expect(
            RunningNode.localProcess(of: NodeMetricsPage(""), now: now, files: files) == nil)
    }

    @Test func threadsOfAProcess_areSummed() throws {
        let mine = try #require(ProcessSample(process: Int(getpid())))
        #expect(mine.ranNanoseconds >= 0)
        #expect(ProcessSample(process: 0) == nil)
        let later = ProcessSample(ranNanoseconds: 5, waitedNanoseconds: 1, preemptions: 2)
        let earlier = ProcessSample(ranNanoseconds: 2, waitedNanoseconds: 3)
        #expect(
            later.since(earlier)
                == ProcessSample(ranNanoseconds: 3, waitedNanoseconds: 0, preemptions: 2))
    }
}
