import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

@testable import MartletTransport

/// Answers each stream by its own content, on the stock stack.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private var body = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var isEnd = false
        switch unwrapInboundIn(data) {
        case .headers(let frame): isEnd = frame.endStream
        case .data(let frame):
            if case .byteBuffer(var bytes) = frame.data { body.writeBuffer(&bytes) }
            isEnd = frame.endStream
        default: break
        }
        guard isEnd else { return }
        let isEmpty = body.readableBytes == 0
        let channel = context.channel
        let head = HPACKHeaders([(":status", "200")])
        channel.write(
            HTTP2Frame.FramePayload.headers(.init(headers: head, endStream: isEmpty)),
            promise: nil)
        if !isEmpty {
            channel.write(
                HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(body), endStream: true)),
                promise: nil)
        }
        channel.flush()
    }
}

@Suite("Our HTTP/2 beside the stock one")
struct StockComparisonTests {
    /// The frames that the stock stack answers with.
    private func stock(_ bytes: ClientBytes, split: Int) throws -> [String] {
        let channel = EmbeddedChannel()
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server,
            connectionConfiguration: .init(), streamConfiguration: .init()
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(EchoHandler())
            }
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var transcript = FrameTranscript()
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.bytes.count, by: split) {
            let piece = ByteBuffer(bytes: bytes.bytes[start...].prefix(split))
            _ = try? channel.writeInbound(piece)
            while let output = try channel.readOutbound(as: ByteBuffer.self) {
                lines += transcript.read(output)
            }
        }
        _ = try? channel.finish()
        return lines
    }

    private func ours(_ bytes: ClientBytes, split: Int) -> [String] {
        var dialogue = HTTP2Dialogue()
        for start in stride(from: 0, to: bytes.bytes.count, by: split) {
            dialogue.receive(.raw(Array(bytes.bytes[start...].prefix(split))))
        }
        return dialogue.sent
    }

    /// Each stream's frames in their order; the order among streams is free, as is the size of
    /// windows and of frames.
    private func byStream(_ lines: [String]) -> [String: [String]] {
        var streams: [String: [String]] = [:]
        for line in lines where !line.hasPrefix("WINDOW_UPDATE") && line != "SETTINGS" {
            let words = line.split(separator: " ").map(String.init)
            let stream = words.count > 1 ? words[1] : ""
            var own = streams[stream] ?? []
            if words[0] == "DATA", let last = own.last, last.hasPrefix("DATA"),
                let more = Int(words[2]), let before = Int(last.split(separator: " ")[2])
            {
                let end = words.count > 3 ? " end" : ""
                own[own.count - 1] = "DATA \(stream) \(before + more)\(end)"
            } else {
                own.append(line)
            }
            streams[stream] = own
        }
        return streams
    }

    /// The stock stack takes the first for an error, and resizes its table beyond what our
    /// transcript's decoder knows of by the second.
    private static let differences = [
        "an answer to no SETTINGS", "HEADER_TABLE_SIZE of 2^32 - 1",
    ]

    @Test(arguments: [13, 100_000])
    func exchanges_areAnsweredAlike(split: Int) throws {
        for situation in ConformanceTables.exchanges + ConformanceTables.settings {
            guard situation.answers else { continue }
            if case .connection = situation.ending { continue }
            if StockComparisonTests.differences.contains(situation.situation) { continue }
            let bytes: ClientBytes = [
                .preface, ClientBytes.settings(situation.settings), .settingsAck, situation.bytes,
            ]
            let own = byStream(ours(bytes, split: split))
            let stock = byStream(try stock(bytes, split: split))
            #expect(own == stock, "\(situation.testDescription): \(own) and \(stock)")
        }
    }

    @Test func windows_areKeptAlike() throws {
        let content = [UInt8](repeating: 3, count: 50_000)
        let chunks = stride(from: 0, to: content.count, by: 10_000).map {
            ClientBytes.data(1, Array(content[$0...].prefix(10_000)), end: $0 == 40_000)
        }
        for window in [0, 1, 100, 16_384, 65_535] as [UInt32] {
            let bytes: ClientBytes = [
                .preface, .settings([(UInt16(4), window)]), .settingsAck, .headers(1),
                .raw(chunks.flatMap(\.bytes)), .window(1, 2000), .get(3), .settings([(4, 30_000)]),
                .window(1, 2000), .settings([(4, 10)]), .window(1, 30_000),
                .settings([(4, 60_000)]),
                .get(5),
            ]
            #expect(
                byStream(ours(bytes, split: 4096)) == byStream(try stock(bytes, split: 4096)))
        }
    }
}
