import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/2 clients under mutated bytes")
struct HTTP2ClientFuzzTests {
    private static let status = [(":status", "200"), ("content-type", "application/grpc")]

    private static let corpus: [ClientBytes] =
        [
            .settings([(3, 2)]), .settings([(4, 5)]), .settings([(4, 70_000), (5, 20_000)]),
            .settings([(1, 0)]), .settingsAck, .ping(), .ping(ack: true), .window(0, 10),
            .window(1, 5), .window(3, 100_000), .goAway(), .reset(5, code: 7), .priority(1),
            .frame(5, 4, stream: 1, [0, 0, 0, 2]), .frame(77, 0, stream: 0, [1]),
        ]
        + [1, 3, 5, 7].flatMap { stream -> [ClientBytes] in
            [
                .headers(stream, status), .headers(stream, status, end: true), .data(stream),
                .data(stream, end: true), .headers(stream, [("grpc-status", "0")], end: true),
                .headers(stream, [(":status", "100")]), .reset(stream),
                [.headers(stream, status, whole: false), .continuation(stream)],
                .frame(0, 9, stream: stream, [2, 5, 0, 0]),
                .block(stream, [0x40, 1, 97, 1, 98, 0x88]),
            ]
        }

    /// Bytes of good and bad answers, mixed and damaged.
    private func bytes(_ random: inout SeededGenerator) -> [UInt8] {
        var all = ClientBytes.settings().bytes
        for _ in 0..<Int.random(in: 1..<25, using: &random) {
            all += HTTP2ClientFuzzTests.corpus.randomElement(using: &random)?.bytes ?? []
        }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            let place = Int.random(in: 0..<all.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: all[place] = UInt8.random(in: 0...255, using: &random)
            case 1: all[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: all.remove(at: place)
            default: all.insert(UInt8.random(in: 0...255, using: &random), at: place)
            }
        }
        return all
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytes_leaveTheConnectionInAValidState(part: UInt64) {
        for seed in SimulationSeeds.first(2000) where seed % 8 == part {
            var random = SeededGenerator(seed: seed)
            var run = ClientFuzzRun()
            var rest = bytes(&random)[...]
            while !rest.isEmpty {
                run.act(&random)
                let piece = rest.prefix(Int.random(in: 1..<80, using: &random))
                rest = rest.dropFirst(piece.count)
                run.receive(Array(piece))
            }
            #expect(run.failure == nil, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func howBytesAreSplit_makesNoDifference(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let all = bytes(&random)
        func play(_ pieces: (inout SeededGenerator) -> Int) -> [String] {
            var dialogue = HTTP2Dialogue(role: .client, limits: .upstream)
            for _ in 0..<4 { dialogue.act { _ = $0.open(FieldBlock(HeaderSamples.get)) } }
            var rest = all[...]
            while !rest.isEmpty {
                let piece = rest.prefix(pieces(&random))
                rest = rest.dropFirst(piece.count)
                dialogue.receive(.raw(Array(piece)))
            }
            // Content is handed on as it comes, so in more pieces.
            return dialogue.events.filter { !$0.hasPrefix("data") }
        }
        let whole = play { _ in all.count }
        #expect(play { Int.random(in: 1..<20, using: &$0) } == whole)
        #expect(play { _ in 1 } == whole)
    }
}

/// One connection whose owner does anything at any time.
private struct ClientFuzzRun {
    var connection = HTTP2Connection(role: .client, limits: .upstream, now: .uptimeNanoseconds(1))
    /// Streams under way, and whether their answer has begun and ended.
    var open: [UInt32: (hasHead: Bool, hasEnded: Bool)] = [:]
    var failure: String?
    var transcript = FrameTranscript()
    var hasPreface = false

    mutating func receive(_ bytes: [UInt8]) {
        connection.receive(ByteBuffer(bytes: bytes), now: .uptimeNanoseconds(2))
        takeEvents()
        check()
    }

    private mutating func takeEvents() {
        while let event = connection.next() { take(event) }
    }

    private mutating func take(_ event: HTTP2Event) {
        switch event {
        case .answer(let stream, _, let isEnd):
            if open[stream].map({ $0.hasHead || $0.hasEnded }) ?? true { failure = "answer" }
            open[stream] = (true, isEnd)
        case .data(let stream, _, let isEnd):
            if open[stream].map({ !$0.hasHead || $0.hasEnded }) ?? true { failure = "data" }
            open[stream]?.hasEnded = isEnd
        case .trailers(let stream, _):
            if open[stream].map({ !$0.hasHead || $0.hasEnded }) ?? true { failure = "trailers" }
            open[stream]?.hasEnded = true
        case .reset(let stream), .unprocessed(let stream):
            if open.removeValue(forKey: stream) == nil { failure = "reset of what is not there" }
        case .sent(let stream, let count):
            if open[stream] == nil || count < 0 { failure = "sent \(count) on \(stream)" }
        case .failed: if !connection.hasFailed { failure = "failed, and goes on" }
        case .head: failure = "a client was asked"
        case .goAway, .pong: break
        }
    }

    mutating func act(_ random: inout SeededGenerator) {
        for stream in open.keys.sorted() {
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let count = Int.random(in: 0..<100_000, using: &random)
                connection.sendContent(ByteBuffer(repeating: 1, count: count), on: stream)
            case 1: connection.sendEnd(on: stream)
            case 2: connection.sendTrailers(FieldBlock([("a", "b")]), on: stream)
            case 3:
                connection.reset(stream, .cancel)
                open[stream] = nil
            case 4: connection.holdWindow(of: stream)
            case 5: connection.releaseWindow(of: stream, count: 5)
            default: break
            }
        }
        if open.count < 6, Bool.random(using: &random) {
            let block = FieldBlock(HeaderSamples.post)
            if let stream = connection.open(block, isEnd: Bool.random(using: &random)) {
                open[stream] = (false, false)
            }
        }
        if Int.random(in: 0..<6, using: &random) == 0 {
            connection.setWritable(Bool.random(using: &random))
        }
        takeEvents()
        check()
    }

    private mutating func check() {
        if var output = connection.takeOutput() {
            if !hasPreface { output.moveReaderIndex(forwardBy: HTTP2Protocol.preface.count) }
            hasPreface = true
            for line in transcript.read(output) where line.contains("undecodable") {
                failure = line
            }
        }
        if connection.sendWindow < 0 || connection.receiveWindow < 0 { failure = "windows" }
        for stream in connection.streams.streams {
            if stream > connection.lastStream || stream & 1 == 0 { failure = "stream \(stream)" }
            if !connection.hasFailed, open[stream] == nil { failure = "\(stream) is nobody's" }
        }
    }
}
