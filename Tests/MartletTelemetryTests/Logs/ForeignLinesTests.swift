import Logging
import Testing

@testable import MartletTelemetry

@Suite struct ForeignLinesTests {
    @Test func append_whenLinesArriveInPieces_putsThemTogether() {
        var lines = ForeignLines()
        #expect(lines.append("fir".utf8) == [])
        #expect(lines.append("st\n\nsecond\nthi".utf8) == ["first", "second"])
        #expect(lines.append("rd".utf8) == [])
        #expect(lines.finish() == ["third"])
        #expect(lines.finish() == [])
    }

    @Test func append_whenALineDoesNotEnd_passesItOnInParts() {
        var lines = ForeignLines()
        let long = String(repeating: "x", count: ForeignLines.lineBytesLimit * 2 + 3)
        let parts = lines.append(long.utf8)
        #expect(parts.map(\.utf8.count) == [8192, 8192])
        #expect(lines.finish() == ["xxx"])
    }

    @Test func append_whenBytesAreNoText_keepsTheLine() {
        var lines = ForeignLines()
        #expect(lines.append([0x61, 0xFF, 0x00, 0x62, 0x0A]) == ["a\u{FFFD}\u{0}b"])
    }

    @Test(
        arguments: [
            ("2026-11-29 02:25:25.000001: I tensorflow/core/platform/cpu.cc:1] hello", .info),
            ("2026-11-29 02:25:25.000001: W tensorflow/core/x.cc:1] hm", .warning),
            ("2026-11-29 02:25:25.000001: E tensorflow/core/x.cc:1] no", .error),
            (
                "2026-11-29 02:25:25.000001: F tensorflow/core/x.cc:1] Check failed: a == b",
                .critical
            ),
            ("E0000 00:00:1732847125.000001    4711 file.cc:12] no", .error),
            ("I0000 00:00:1732847125.000001    4711 file.cc:12] hello", .info),
            ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", .info),
            ("ERROR: failed", .error),
            ("malloc(): corrupted top size", .warning),
            ("E000", .warning), ("", .warning), ("EEEEE e", .warning),
        ] as [(String, Logger.Level)])
    func level_ofEnginesForms_isTheirs(line: String, level: Logger.Level) {
        #expect(ForeignLines.level(of: line) == level)
    }
}
