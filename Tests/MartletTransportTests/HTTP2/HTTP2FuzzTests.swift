import MartletTestKit
import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/2 connections under mutated bytes")
struct HTTP2FuzzTests {
    private static let corpus: [[UInt8]] =
        ConformanceTables.all.map(\.bytes.bytes) + [
            (ClientBytes.headers(1, HeaderSamples.post + [("content-type", "application/grpc")])
                .bytes + ClientBytes.data(1, [0, 0, 0, 0, 1, 9], end: true).bytes)
        ]

    /// Bytes of valid and broken exchanges, mixed and damaged.
    private func bytes(_ random: inout SeededGenerator) -> [UInt8] {
        var all = HTTP2Protocol.preface + ClientBytes.settings().bytes
        for _ in 0..<Int.random(in: 1..<8, using: &random) {
            all += HTTP2FuzzTests.corpus.randomElement(using: &random) ?? []
        }
        for _ in 0..<Int.random(in: 0..<6, using: &random) {
            // The greeting is left alone as a rule, or nothing else would be tried.
            let isAnywhere = Int.random(in: 0..<10, using: &random) == 0
            let place = Int.random(in: (isAnywhere ? 0 : 33)..<all.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: all[place] = UInt8.random(in: 0...255, using: &random)
            case 1: all[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: all.remove(at: place)
            case 3: all.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default:
                let part = all[place...].prefix(Int.random(in: 1..<60, using: &random))
                all.insert(contentsOf: part, at: place)
            }
        }
        return all
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func anyBytes_leaveTheConnectionInAValidState(part: UInt64) {
        for seed in (part * 250)..<(part * 250 + 250) {
            var random = SeededGenerator(seed: seed)
            var limits = HTTP2Limits()
            limits.concurrentStreams = 8
            limits.streamWindow = 70_000
            limits.connectionWindow = 100_000
            let start = HTTP2Connection(limits: limits, now: .uptimeNanoseconds(1))
            var run = FuzzRun(connection: start)
            var rest = bytes(&random)[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1..<200, using: &random))
                rest = rest.dropFirst(piece.count)
                run.receive(Array(piece), &random)
            }
            if let failure = run.failure { Issue.record("seed \(seed): \(failure)") }
        }
    }
}

/// One connection whose application does anything at any time.
private struct FuzzRun {
    var connection: HTTP2Connection
    var open: Set<UInt32> = []
    var seen: Set<UInt32> = []
    var failure: String?
    var transcript = FrameTranscript()

    mutating func receive(_ bytes: [UInt8], _ random: inout SeededGenerator) {
        connection.receive(ByteBuffer(bytes: bytes), now: .uptimeNanoseconds(2))
        while let event = connection.next() { take(event) }
        act(&random)
        while let event = connection.next() { take(event) }
        open.formIntersection(connection.streams.streams)
        check()
    }

    private mutating func take(_ event: HTTP2Event) {
        switch event {
        case .head(let stream, _, _):
            if !seen.insert(stream).inserted { failure = "stream \(stream) began twice" }
            open.insert(stream)
        case .data(let stream, _, _):
            if !seen.contains(stream) { failure = "data of \(stream), which never began" }
        case .trailers(let stream, _):
            if !seen.contains(stream) { failure = "trailers of \(stream), which never began" }
        case .answer, .unprocessed, .goAway: failure = "a server was answered"
        case .reset(let stream):
            if !seen.contains(stream) { failure = "reset of \(stream), which never began" }
            open.remove(stream)
        case .sent(let stream, let count):
            if !seen.contains(stream) || count < 0 { failure = "sent \(count) on \(stream)" }
        case .failed: if !connection.hasFailed { failure = "failed, and goes on" }
        case .pong: break
        }
    }

    private mutating func act(_ random: inout SeededGenerator) {
        for stream in open.sorted() {
            let isEnd = Bool.random(using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: connection.sendHead(.grpcHead, on: stream, isEnd: isEnd)
            case 1:
                let count = Int.random(in: 0..<100_000, using: &random)
                let bytes = [UInt8](repeating: 0, count: count)
                connection.sendData(bytes, isMessage: isEnd, on: stream, isEnd: isEnd)
            case 2: connection.sendTrailers(.grpcSuccess, on: stream)
            case 3: connection.reset(stream, .cancel)
            case 4: connection.holdWindow(of: stream)
            default: break
            }
        }
        switch Int.random(in: 0..<12, using: &random) {
        case 0: connection.startDraining()
        case 1: connection.setWritable(false)
        case 2, 3: connection.setWritable(true)
        default: break
        }
    }

    private mutating func check() {
        if let output = connection.takeOutput() {
            for line in transcript.read(output) where line.contains("undecodable") {
                failure = line
            }
        }
        let streams = connection.streams
        if streams.count > connection.limits.concurrentStreams { failure = "too many streams" }
        if connection.sendWindow < 0 || connection.receiveWindow < 0 { failure = "windows" }
        for stream in streams.streams where stream > connection.lastStream || stream & 1 == 0 {
            failure = "stream \(stream) is open"
        }
    }
}
