import MartletTelemetry
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Floods over HTTP/2")
struct FloodTests {
    private static let one = FloodMeter.Allowance(burst: 10, perSecond: 1)

    private static var limits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.floods = FloodMeter.Allowances(
            resets: one, controls: one, emptyData: one, dribbles: one, tinyFrames: one,
            streamErrors: one)
        limits.unreadControlFrames = 5
        limits.headerBlockBytes = 20_000
        limits.continuations = 8
        return limits
    }

    /// What a client may do ten times at once and once a second then.
    private static let floods: [(String, @Sendable (UInt32) -> ClientBytes)] = [
        ("rapid reset", { [.headers($0), .reset($0)] }),
        ("resets of what was reset", { [.headers($0), .reset($0)] }),
        ("PING", { _ in .ping() }),
        ("answers to no PING", { _ in .ping(ack: true) }),
        ("PRIORITY", { .priority($0) }),
        ("unknown frames", { _ in .frame(0x33, 0) }),
        ("SETTINGS", { _ in .settings() }),
        ("empty DATA", { [.headers($0), .data($0, [])] }),
        ("DATA of a byte", { $0 == 1 ? [.headers(1), .data(1, [1])] : .data(1, [1]) }),
        ("windows that nothing waits for", { _ in .window(0, 1) }),
        ("padding alone", { [.headers($0), .frame(0, 8, stream: $0, [0])] }),
        ("malformed requests", { .headers($0, [(":method", "GET")], end: true) }),
        (
            "content longer than it says",
            {
                [.headers($0, HeaderSamples.post + [("content-length", "1")]), .data($0, [1, 2])]
            }
        ),
    ]

    @Test(arguments: floods.indices)
    func flood_endsTheConnection_butNotWhenItIsSlow(index: Int) {
        let (name, flood) = FloodTests.floods[index]
        var fast = HTTP2Dialogue.begun(limits: FloodTests.limits)
        var slow = fast
        for number in 0..<30 as Range<UInt32> {
            fast.receive(flood(2 * number + 1))
            slow.receive(flood(2 * number + 1))
            slow.wait(.milliseconds(1100))
        }
        #expect(fast.sent.last?.hasSuffix("enhanceYourCalm") == true, "\(name): \(fast.sent)")
        #expect(!slow.connection.hasFailed, "\(name): \(slow.sent)")
    }

    private static let kinds: [(HTTP2Flood, @Sendable (UInt32) -> ClientBytes)] = [
        (.resets, { [.headers($0), .reset($0)] }),
        (.controlFrames, { _ in .ping() }),
        (.emptyData, { [.headers($0), .data($0, [])] }),
        (.tinyFrames, { _ in .window(0, 1) }),
        (.brokenStreams, { .headers($0, [(":method", "GET")], end: true) }),
        (.settings, { _ in .settings([(UInt16, UInt32)](repeating: (4, 1), count: 65)) }),
    ]

    @Test(arguments: kinds.indices)
    func flood_isNamedByTheFault(index: Int) {
        let (kind, flood) = FloodTests.kinds[index]
        var connection = HTTP2Connection(limits: FloodTests.limits, now: .now())
        var fault: ConnectionFault?
        let greeting: ClientBytes = [.preface, .settings(), .settingsAck]
        connection.receive(ByteBuffer(bytes: greeting.bytes), now: .now())
        for number in 0..<30 as Range<UInt32> where fault == nil {
            connection.receive(ByteBuffer(bytes: flood(2 * number + 1).bytes), now: .now())
            while let event = connection.next() {
                if case .failed(let found) = event { fault = found }
            }
        }
        #expect(fault?.flood == kind)
    }

    @Test func counters_areThereBeforeTheFirstFlood() {
        let metrics = MetricsRegistry()
        let counters = HTTP2FloodCounters(in: metrics)
        counters.count(.resets)
        let lines = String(decoding: metrics.prometheusText(), as: UTF8.self)
            .split(separator: "\n")
        #expect(lines.contains(#"martlet_http2_floods_total{kind="resets"} 1"#))
        #expect(lines.contains(#"martlet_http2_floods_total{kind="header_blocks"} 0"#))
    }

    @Test func dribble_ofWindows_endsTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits, settings: [(4, 0)])
        dialogue.receive([.headers(1), .data(1, [UInt8](repeating: 1, count: 100), end: true)])
        for _ in 0..<11 { dialogue.receive(.window(1, 1)) }
        #expect(dialogue.sent.last == "GOAWAY 1 enhanceYourCalm")
    }

    @Test func windows_mayBeOpenedForEachAnswer() {
        var dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits)
        for number in 0..<30 as Range<UInt32> {
            let stream = 2 * number + 1
            dialogue.receive([.headers(stream), .data(stream, [1, 2, 3, 4, 5], end: true)])
            dialogue.receive([.window(0, 5), .window(0, 5)])
        }
        #expect(!dialogue.connection.hasFailed, "\(dialogue.sent)")
    }

    @Test func blockThatNeverEnds_endsTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits)
        dialogue.receive(.block(1, [], whole: false))
        for _ in 0..<9 { dialogue.receive(.continuation(1, whole: false)) }
        #expect(dialogue.sent == ["GOAWAY 0 enhanceYourCalm"])
        dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits)
        dialogue.receive(
            .block(1, [UInt8](repeating: 0x82, count: 20_001), whole: false))
        #expect(dialogue.sent == ["GOAWAY 0 enhanceYourCalm"])
    }

    @Test func listThatUnfoldsFromATable_endsTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits)
        let large = [0x40, 1, 0x61, 0x7F, 0xF1, 0x0E] + [UInt8](repeating: 0x62, count: 2032)
        dialogue.receive(.block(1, large + [UInt8](repeating: 0xBE, count: 100)))
        #expect(dialogue.sent == ["GOAWAY 0 enhanceYourCalm"])
    }

    @Test func clientThatAsksAndDoesNotRead_losesItsConnection() {
        var limits = FloodTests.limits
        limits.floods.controls.burst = 1000
        var dialogue = HTTP2Dialogue.begun(limits: limits)
        dialogue.act { $0.setWritable(false) }
        for _ in 0..<6 { dialogue.receive(.ping()) }
        #expect(dialogue.sent.last == "GOAWAY 0 enhanceYourCalm")
    }

    @Test func manySettings_endTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: FloodTests.limits)
        dialogue.receive(.settings([(UInt16, UInt32)](repeating: (4, 1), count: 65)))
        #expect(dialogue.sent == ["GOAWAY 0 enhanceYourCalm"])
    }

    @Test func streamsThatWaitAndAreReset_doNotPileUp() {
        var limits = HTTP2Limits()
        limits.floods.resets.burst = 100_000
        var dialogue = HTTP2Dialogue.begun(limits: limits, settings: [(4, 1_000_000)])
        // The first uses up what all share, so that the others wait.
        dialogue.receive(.headers(1))
        dialogue.receive(.data(1, [UInt8](repeating: 1, count: 100_000), end: true))
        for number in 1..<2000 as Range<UInt32> {
            let stream = 2 * number + 1
            dialogue.receive([.headers(stream), .data(stream, end: true), .reset(stream)])
        }
        #expect(dialogue.connection.streams.count == 1)
        #expect(dialogue.connection.queue.count < 200)
    }
}
