import MartletTestKit
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

/// A server's bytes against the client's core, and what both sides saw.
struct HTTP2ClientDialogue {
    var connection: HTTP2ClientConnection
    private(set) var events: [HTTP2ClientEvent] = []
    private(set) var sent: [UInt8] = []

    init(message: Int = 3, callsMax: Int = 100, keepsAnswers: Bool = false) throws {
        let target = LoadTarget(
            host: "a", port: 1, wire: .grpc,
            requests: [LoadRequest(path: "/s/m", body: [UInt8](repeating: 7, count: message))])
        connection = HTTP2ClientConnection(
            try GRPCLoadCalls(target), callsMax: callsMax, keepsAnswers: keepsAnswers)
        collect()
    }

    /// A dialogue whose greeting is done.
    static func begun(
        message: Int = 3, settings: [(UInt16, UInt32)] = [], keepsAnswers: Bool = false
    ) throws -> HTTP2ClientDialogue {
        var dialogue = try HTTP2ClientDialogue(message: message, keepsAnswers: keepsAnswers)
        dialogue.receive(.settings(settings))
        dialogue.sent = []
        return dialogue
    }

    mutating func receive(_ bytes: ClientBytes) {
        connection.receive(ByteBuffer(bytes: bytes.bytes))
        while let event = connection.next() { events.append(event) }
        collect()
    }

    mutating func send(_ token: UInt64 = 0) {
        connection.send(0, token: token, now: 5)
        collect()
    }

    private mutating func collect() {
        if let output = connection.takeOutput() { sent += output.readableBytesView }
    }

    /// Frames that were sent, greeting left out.
    func frames() -> [(FrameHead, [UInt8])] {
        var buffer = ByteBuffer(bytes: sent)
        if sent.starts(with: HTTP2Protocol.preface) {
            buffer.moveReaderIndex(forwardBy: HTTP2Protocol.preface.count)
        }
        var frames: [(FrameHead, [UInt8])] = []
        while let head = FrameHead(from: &buffer) {
            frames.append((head, buffer.readBytes(length: head.length) ?? []))
        }
        return frames
    }

    func kinds() -> [FrameKind] { frames().map(\.0.kind) }
}

extension ClientBytes {
    /// A whole good answer.
    static func answer(_ stream: UInt32, _ message: [UInt8] = [9]) -> ClientBytes {
        [
            .block(stream, FieldBlock.grpcHead.bytes, end: false),
            .data(stream, [0, 0, 0, 0, UInt8(message.count)] + message),
            .block(stream, FieldBlock.grpcSuccess.bytes),
        ]
    }

    static func goAway(_ last: UInt32) -> ClientBytes {
        frame(7, 0, stream: 0, big(last) + big(0))
    }
}

@Suite("The client's side of HTTP/2")
struct HTTP2ClientConnectionTests {
    @Test func greeting_isPrefaceSettingsAndWindow() throws {
        let dialogue = try HTTP2ClientDialogue()
        #expect(dialogue.sent.starts(with: HTTP2Protocol.preface))
        #expect(dialogue.kinds() == [.settings, .windowUpdate])
        #expect(!dialogue.connection.hasRoom)
    }

    @Test func calls_areAnswered() throws {
        var dialogue = try HTTP2ClientDialogue.begun(keepsAnswers: true)
        dialogue.send(71)
        dialogue.send(72)
        #expect(dialogue.kinds() == [.headers, .data, .headers, .data])
        #expect(dialogue.frames()[1].1 == [0, 0, 0, 0, 3, 7, 7, 7])
        #expect(dialogue.frames()[1].0.flags == .endStream)
        dialogue.receive(.answer(3, [1, 2]))
        dialogue.receive(.answer(1))
        #expect(
            dialogue.events == [
                .received(token: 72, ByteBuffer(bytes: [1, 2])),
                .ended(token: 72, .success, bytes: 7),
                .received(token: 71, ByteBuffer(bytes: [9])),
                .ended(token: 71, .success, bytes: 6),
            ])
    }

    @Test func headerBlocks_areWhatDecodersRead() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        for _ in 0..<3 { dialogue.send() }
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        let blocks = dialogue.frames().filter { $0.0.kind == .headers }.map(\.1)
        #expect(blocks[1].count < blocks[0].count)
        for block in blocks {
            var buffer = ByteBuffer(bytes: block)
            let fields = try decoder.decodeHeaders(from: &buffer)
            #expect(fields.first(name: ":method") == "POST")
            #expect(fields.first(name: ":path") == "/s/m")
            #expect(fields.first(name: ":authority") == "a:1")
            #expect(fields.first(name: "te") == "trailers")
            #expect(fields.first(name: "content-type") == "application/grpc")
        }
    }

    @Test func serverWithoutTable_getsFieldsSpelledOut() throws {
        var dialogue = try HTTP2ClientDialogue.begun(settings: [(1, 0)])
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator(), maxDynamicTableSize: 0)
        for _ in 0..<2 { dialogue.send() }
        for (head, block) in dialogue.frames() where head.kind == .headers {
            var buffer = ByteBuffer(bytes: block)
            #expect(try decoder.decodeHeaders(from: &buffer).first(name: ":path") == "/s/m")
        }
    }

    @Test func tableThatIsTakenAwayLater_isLeftAlone() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        dialogue.send()
        dialogue.receive(.settings([(1, 100), (1, 4096)]))
        for _ in 0..<2 { dialogue.send() }
        for (index, (head, block)) in dialogue.frames().enumerated() where head.kind == .headers {
            if index > 0 { #expect(block.contains(UInt8(ascii: "/"))) }
            var buffer = ByteBuffer(bytes: block)
            #expect(try decoder.decodeHeaders(from: &buffer).first(name: ":path") == "/s/m")
        }
    }

    @Test func refusals_haveCodeAndWords() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        for token in 0..<4 { dialogue.send(UInt64(token)) }
        let block = FieldBlock([
            (":status", "200"), ("grpc-status", "5"), ("grpc-message", "no%20such%2"),
        ])
        dialogue.receive(.block(1, block.bytes))
        dialogue.receive(.block(3, FieldBlock([(":status", "502")]).bytes))
        dialogue.receive([
            .block(5, FieldBlock.grpcHead.bytes, end: false),
            .block(5, FieldBlock.grpcSuccess.bytes),
        ])
        dialogue.receive([
            .block(7, FieldBlock.grpcHead.bytes, end: false), .data(7, [], end: true),
        ])
        #expect(
            dialogue.events == [
                .ended(token: 0, .refused(code: 5, text: "no such%2"), bytes: 0),
                .ended(
                    token: 1, .failed(.malformed("HTTP status 502 in place of a gRPC answer")),
                    bytes: 0),
                .ended(token: 2, .failed(.malformed("The answer has no message")), bytes: 0),
                .ended(token: 3, .failed(.malformed("The answer ends without a status")), bytes: 0),
            ])
    }

    @Test func blocksInParts_areReadWhole() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        dialogue.send(1)
        let head = FieldBlock.grpcHead.bytes
        dialogue.receive(.block(1, Array(head[..<3]), end: false, whole: false))
        dialogue.receive(.continuation(1, [], whole: false))
        dialogue.receive(.continuation(1, Array(head[3...])))
        dialogue.receive(.data(1, [0, 0, 0, 0, 0]))
        dialogue.receive(.block(1, FieldBlock.grpcSuccess.bytes))
        #expect(dialogue.events == [.ended(token: 1, .success, bytes: 5)])
    }

    @Test func windows_holdBackLargeMessages() throws {
        var dialogue = try HTTP2ClientDialogue.begun(message: 200_000, settings: [(4, 100_000)])
        dialogue.send()
        func sentBytes() -> Int {
            dialogue.frames().filter { $0.0.kind == .data }.reduce(0) { $0 + $1.0.length }
        }
        #expect(sentBytes() == 65_535)
        dialogue.receive(.window(0, 1_000_000))
        #expect(sentBytes() == 100_000)
        dialogue.receive(.settings([(4, 150_000)]))
        #expect(sentBytes() == 150_000)
        dialogue.receive(.window(1, 100_000))
        #expect(sentBytes() == 200_005)
        let frames = dialogue.frames().filter { $0.0.kind == .data }
        #expect(frames.allSatisfy { $0.0.length <= 16_384 })
        #expect(frames.filter { $0.0.flags.contains(.endStream) }.count == 1)
    }

    @Test func callsWaitTheirTurn_whenTheServerAllowsFew() throws {
        var dialogue = try HTTP2ClientDialogue.begun(settings: [(3, 2)])
        dialogue.send()
        dialogue.send()
        #expect(!dialogue.connection.hasRoom)
        dialogue.receive(.answer(1))
        #expect(dialogue.connection.hasRoom)
    }

    @Test func goAway_leavesBegunCallsAndEndsBehindThem() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        for token in 0..<3 { dialogue.send(UInt64(token)) }
        dialogue.receive(.goAway(3))
        #expect(dialogue.events == [.ended(token: 2, .failed(.notBegun), bytes: 0)])
        #expect(!dialogue.connection.hasRoom)
        dialogue.receive(.answer(1))
        dialogue.receive(.answer(3))
        #expect(dialogue.events.last == .drained)
        var idle = try HTTP2ClientDialogue.begun()
        idle.receive(.goAway(0))
        #expect(idle.events == [.drained])
    }

    @Test func resets_endTheirCalls() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        dialogue.send(0)
        dialogue.send(1)
        dialogue.receive(.reset(1, code: 7))
        dialogue.receive(.reset(3, code: 2))
        dialogue.receive(.reset(3, code: 2))
        #expect(
            dialogue.events == [
                .ended(token: 0, .failed(.notBegun), bytes: 0),
                .ended(token: 1, .failed(.reset(2)), bytes: 0),
            ])
    }

    @Test func lateCalls_areResetAndTheirAnswersIgnored() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        dialogue.send(4)
        dialogue.connection.expire(sentBefore: 5)
        #expect(dialogue.connection.streams.count == 1)
        dialogue.connection.expire(sentBefore: 6)
        dialogue.receive(.answer(1))
        #expect(dialogue.events == [.ended(token: 4, .failed(.timedOut), bytes: 0)])
        #expect(dialogue.kinds().last == .resetStream)
    }

    @Test func pingsAndSettings_areAnswered() throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        dialogue.receive(.frame(6, 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8]))
        dialogue.receive(.settings([(5, 20_000)]))
        #expect(dialogue.frames().map(\.1) == [[1, 2, 3, 4, 5, 6, 7, 8], []])
        #expect(dialogue.frames().allSatisfy { $0.0.flags == .acknowledge })
    }

    private static let broken: [(ClientBytes, HTTP2Code)] = [
        (.data(2), .protocolError), (.data(99), .protocolError),
        (.frame(0, 8, stream: 1, [9, 1]), .protocolError),
        (.frame(0, 8, stream: 1, []), .frameSizeError),
        (.frame(1, 0x2C, stream: 1, [1, 2]), .frameSizeError),
        (.continuation(1), .protocolError),
        ([.block(1, [], end: false, whole: false), .data(1)], .protocolError),
        (.block(1, [0x40, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), .compressionError),
        (.frame(4, 0, stream: 0, [1, 2, 3]), .frameSizeError),
        (.frame(4, 0, stream: 1, []), .protocolError),
        (.frame(4, 1, stream: 0, [1]), .frameSizeError),
        (.settings([(4, 0x8000_0000)]), .flowControlError),
        (.settings([(5, 100)]), .protocolError),
        (.frame(5, 4, stream: 1, [0, 0, 0, 2]), .protocolError),
        (.frame(6, 0, stream: 0, [1]), .frameSizeError),
        (.frame(7, 0, stream: 0, [1]), .frameSizeError),
        (.frame(3, 0, stream: 1, [1]), .frameSizeError), (.window(0, 0), .protocolError),
        (.window(0, 0x7FFF_FFFF), .flowControlError),
        (.frame(8, 0, stream: 0, []), .frameSizeError),
        (.frame(0, 0, stream: 1, [], length: 2_000_000), .frameSizeError),
    ]

    @Test(arguments: broken)
    func brokenRules_endTheConnectionAndAllCalls(bytes: ClientBytes, code: HTTP2Code) throws {
        var dialogue = try HTTP2ClientDialogue.begun()
        dialogue.send(8)
        dialogue.receive(bytes)
        guard case .failed(let fault)? = dialogue.events.last else {
            Issue.record("\(dialogue.events)")
            return
        }
        #expect(fault.code == code)
        #expect(dialogue.events.count == 2)
        #expect(dialogue.kinds().last == .goAway)
        #expect(!dialogue.connection.hasRoom)
        dialogue.receive(.answer(1))
        #expect(dialogue.events.count == 2)
    }

    @Test func serverOfAnotherProtocol_isNotTakenForOne() throws {
        var dialogue = try HTTP2ClientDialogue()
        dialogue.receive(.raw(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)))
        guard case .failed? = dialogue.events.last else {
            Issue.record("\(dialogue.events)")
            return
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func damagedBytes_neverTrapAndEndEveryCallOnce(part: UInt64) throws {
        for seed in SimulationSeeds.first(1600) where seed % 8 == part {
            var random = SeededGenerator(seed: seed)
            var dialogue = try HTTP2ClientDialogue.begun(message: 40_000)
            for token in 0..<4 { dialogue.send(UInt64(token)) }
            var bytes: [UInt8] = []
            let parts: [ClientBytes] = [
                .answer(1), .answer(3), .answer(5), .settings([(4, 100_000)]), .window(0, 100_000),
                .reset(7), .goAway(5), .continuation(3), .window(1, 0x7FFF_0000),
            ]
            for _ in 0..<8 { bytes += parts.randomElement(using: &random)?.bytes ?? [] }
            for _ in 0..<Int.random(in: 0..<5, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            while !bytes.isEmpty {
                let count = Int.random(in: 1...bytes.count, using: &random)
                dialogue.receive(.raw(Array(bytes.prefix(count))))
                bytes.removeFirst(count)
            }
            dialogue.connection.close()
            dialogue.receive([])
            let ended = dialogue.events.compactMap { event -> UInt64? in
                if case .ended(let token, _, _) = event { token } else { nil }
            }
            #expect(ended.sorted() == [0, 1, 2, 3], "\(SimulationSeeds.replay(seed))")
        }
    }
}
