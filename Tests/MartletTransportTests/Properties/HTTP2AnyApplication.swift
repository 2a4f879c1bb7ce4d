import MartletTestKit
import NIOCore

@testable import MartletTransport

/// A connection whose application does anything at any time that it may.
struct HTTP2AnyApplication {
    private var connection: HTTP2Connection
    private var streams = HTTP2ToldStreams()
    private var frames = HTTP2SentFrames()
    private var open: Set<UInt32> = []

    /// Sees to it that the connection stays in a valid state.
    static func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        var random = Cuts.generator(for: bytes)
        // What follows differs from what decides on the cuts.
        let seed = random.next()
        try check(bytes, seed: seed)
    }

    static func check(_ bytes: [UInt8], seed: UInt64) throws(BrokenProperty) {
        var random = SeededGenerator(seed: seed)
        var application = HTTP2AnyApplication()
        for piece in Cuts.pieces(of: bytes, size: { .random(in: 1..<200, using: &random) }) {
            try application.receive(piece, &random)
        }
    }

    private init() {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 8
        limits.streamWindow = 70_000
        limits.connectionWindow = 100_000
        limits.headerBlockBytes = HTTP2Protocol.frameBytesMin
        connection = HTTP2Connection(limits: limits, now: .uptimeNanoseconds(1))
    }

    private mutating func receive(
        _ bytes: ArraySlice<UInt8>, _ random: inout SeededGenerator
    ) throws(BrokenProperty) {
        connection.receive(ByteBuffer(bytes: bytes), now: .uptimeNanoseconds(2))
        while let event = connection.next() { try take(event) }
        // Behind a failure there is nothing to do but to close.
        if !connection.hasFailed { act(&random) }
        while let event = connection.next() { try take(event) }
        open.formIntersection(connection.streams.streams)
        if let output = connection.takeOutput() { try frames.read(output) }
        try connection.checkState()
    }

    private mutating func take(_ event: HTTP2Event) throws(BrokenProperty) {
        try streams.take(event, limits: connection.limits)
        if case .head(let stream, _, _) = event { open.insert(stream) }
        if case .failed = event {
            try BrokenProperty.unless(connection.hasFailed, "A connection failed, and goes on")
        }
    }

    private mutating func act(_ random: inout SeededGenerator) {
        for stream in open.sorted() {
            let isEnd = Bool.random(using: &random)
            switch Int.random(in: 0..<12, using: &random) {
            case 0: connection.sendHead(.grpcHead, on: stream, isEnd: isEnd)
            case 1:
                let count = Int.random(in: 0..<40_000, using: &random)
                let bytes = [UInt8](repeating: 0, count: count)
                connection.sendData(bytes, isMessage: isEnd, on: stream, isEnd: isEnd)
            case 2: connection.sendTrailers(.grpcSuccess, on: stream)
            case 3: connection.reset(stream, .cancel)
            case 4: connection.holdWindow(of: stream)
            case 5: connection.sendContent(ByteBuffer(repeating: 1, count: 3000), on: stream)
            case 6: connection.sendEnd(on: stream)
            case 7: connection.endQuietly(stream)
            default: break
            }
        }
        switch Int.random(in: 0..<14, using: &random) {
        case 0: connection.startDraining()
        case 1: connection.nameLast()
        case 2: connection.setWritable(false)
        case 3, 4: connection.setWritable(true)
        case 5: connection.ping()
        default: break
        }
    }
}
