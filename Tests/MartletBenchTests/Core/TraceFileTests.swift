import MartletCore
import Testing

@testable import MartletBench

@Suite("Trace files")
struct TraceFileTests {
    @Test func times_beginAtTheFirstAndAreInOrder() throws {
        let text = "time,status\n1700000001.5,200\n1700000000.5,200\n\n# a remark\n1700000002.5\n"
        #expect(try TraceFile.read(text) == [0, 1_000_000_000, 2_000_000_000])
    }

    @Test func countsOfIntervals_areSpreadOverThem() throws {
        let times = try TraceFile.read("0\n2\n1\n", interval: 1)
        #expect(times == [1_250_000_000, 1_750_000_000, 2_500_000_000])
    }

    @Test func speed_shortensEverything() throws {
        #expect(try TraceFile.read("0\n10\n", speed: 10) == [0, 1_000_000_000])
    }

    @Test(arguments: ["", "# nothing\n", "1\nx\n", "1\n-1\n", "1\nnan\n", "1\ninf\n"])
    func whatIsNoTrace_isRefused(text: String) {
        #expect(throws: ServingError.self) { try TraceFile.read(text) }
    }

    @Test func hugeCounts_areRefusedBeforeMemoryIsTaken() {
        #expect(throws: ServingError.self) { try TraceFile.read("1e12\n", interval: 1) }
        #expect(throws: ServingError.self) { try TraceFile.read("0\n1e300\n") }
    }
}
