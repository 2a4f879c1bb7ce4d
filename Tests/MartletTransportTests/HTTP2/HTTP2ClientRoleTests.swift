import MartletCore
import NIOCore
import NIOHPACK
import Testing

@testable import MartletTransport

/// The field lists of requests and answers.
private enum Sample {
    static let request = FieldBlock(HeaderSamples.post)
    static let answer = [(":status", "200"), ("content-type", "application/grpc")]
    static let trailers = [("grpc-status", "5")]
}

extension HTTP2Dialogue {
    /// Begins requests without an end.
    fileprivate mutating func open(_ count: Int = 1, isHead: Bool = false, isEnd: Bool = false) {
        for _ in 0..<count {
            act { _ = $0.open(Sample.request, isHead: isHead, isEnd: isEnd) }
        }
    }
}

@Suite("The client's side of HTTP/2 connections that are shared")
struct HTTP2ClientRoleTests {
    @Test func greeting_isThePrefaceAndOurSettings() {
        var connection = HTTP2Connection(
            role: .client, limits: .upstream, now: .uptimeNanoseconds(1))
        let output = connection.takeOutput().map { Array($0.readableBytesView) } ?? []
        #expect(output.starts(with: HTTP2Protocol.preface))
        #expect(HTTP2Dialogue(role: .client).sent.first == "SETTINGS")
        #expect(connection.canOpen)
    }

    @Test func requests_areAnswered_eachOnItsStream() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(2)
        dialogue.act {
            $0.sendContent(ByteBuffer(bytes: [1, 2, 3]), on: 1)
            $0.sendEnd(on: 1)
            $0.sendTrailers(FieldBlock([("a", "b")]), on: 3)
        }
        #expect(dialogue.sent.contains("DATA 1 3 end"))
        #expect(dialogue.sent.last == "HEADERS 3 end a=b")
        dialogue.receive([
            .headers(3, Sample.answer), .data(3), .headers(3, Sample.trailers, end: true),
            .headers(1, [(":status", "204")], end: true),
        ])
        #expect(
            dialogue.events == ["answer 3 200", "data 3 3", "trailers 3 5", "answer 1 204 end"])
        #expect(dialogue.connection.streams.isEmpty)
    }

    @Test func theEndOfContentThatHasLeft_isAFrameOfItsOwn() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open()
        dialogue.act { $0.sendContent(ByteBuffer(bytes: [1]), on: 1) }
        dialogue.act { $0.sendEnd(on: 1) }
        #expect(dialogue.sent.suffix(2) == ["DATA 1 1", "DATA 1 0 end"])
    }

    @Test func anEndThatHadToWaitForTheSocket_isSentOnce() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.act {
            _ = $0.open(FieldBlock(HeaderSamples.post))
            _ = $0.open(FieldBlock(HeaderSamples.post))
        }
        dialogue.forget()
        dialogue.act {
            $0.setWritable(false)
            $0.sendEnd(on: 1)
            $0.sendTrailers(FieldBlock([("a", "b")]), on: 3)
        }
        #expect(dialogue.sent.isEmpty)
        dialogue.act { $0.setWritable(true) }
        #expect(dialogue.sent == ["DATA 1 0 end", "HEADERS 3 end a=b"])
    }

    @Test func theEnd_isNotPutOnAnotherStreamsFrame() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(2)
        dialogue.act {
            $0.sendContent(ByteBuffer(bytes: [1]), on: 1)
            $0.sendContent(ByteBuffer(bytes: [1]), on: 3)
            $0.sendEnd(on: 1)
            $0.sendEnd(on: 3)
        }
        #expect(
            dialogue.sent.suffix(4) == ["DATA 1 1", "DATA 3 1", "DATA 1 0 end", "DATA 3 0 end"])
    }

    @Test func contentBeyondTheWindow_waitsAndIsToldOf() {
        var dialogue = HTTP2Dialogue.client(settings: [(4, 10)])
        dialogue.open()
        dialogue.act {
            $0.sendContent(ByteBuffer(bytes: [UInt8](repeating: 7, count: 25)), on: 1)
            $0.sendEnd(on: 1)
        }
        #expect(dialogue.sent.last == "DATA 1 10")
        #expect(dialogue.connection.waitingCount(of: 1) == 15)
        dialogue.forget()
        dialogue.receive(.window(1, 100))
        #expect(dialogue.sent == ["DATA 1 15 end"])
        #expect(dialogue.events == ["sent 1 15"])
        #expect(dialogue.connection.streams.contains(1))
    }

    @Test func streamsAbove_whatGoAwayNames_areUnprocessed() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(3)
        dialogue.receive(.goAway(3))
        #expect(dialogue.events == ["go away", "unprocessed 5"])
        #expect(!dialogue.connection.canOpen)
        dialogue.receive(.headers(3, Sample.answer, end: true))
        #expect(dialogue.events.last == "answer 3 200 end")
        dialogue.act { #expect($0.open(Sample.request) == nil) }
    }

    @Test func resets_tellWhetherTheRequestWasLookedAt() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(2)
        dialogue.receive([.reset(1, code: 7), .reset(3, code: 2)])
        #expect(dialogue.events == ["unprocessed 1", "reset 3"])
    }

    @Test func limitOfStreams_isTheServers() {
        var dialogue = HTTP2Dialogue.client(settings: [(3, 2)])
        dialogue.open(3)
        #expect(dialogue.connection.streams.count == 2)
        #expect(!dialogue.connection.hasStreamRoom)
        dialogue.act { $0.sendEnd(on: 1) }
        dialogue.receive(.headers(1, Sample.answer, end: true))
        #expect(dialogue.connection.canOpen)
    }

    @Test func limitOfStreams_isGuessedUntilTheServerHasSpoken() {
        var dialogue = HTTP2Dialogue(role: .client, limits: .upstream)
        dialogue.open(200)
        #expect(dialogue.connection.streams.count == 100)
        dialogue.receive(.settings())
        #expect(dialogue.connection.canOpen)
    }

    @Test func anAnswerThatEndsBeforeItsRequest_leavesTheStreamToBeReset() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open()
        dialogue.receive(.headers(1, Sample.answer, end: true))
        #expect(dialogue.connection.streams.contains(1))
        dialogue.act { $0.reset(1, .cancel) }
        #expect(dialogue.sent.last == "RST_STREAM 1 cancel")
        dialogue.receive([.reset(1, code: 0), .window(1, 5), .data(1)])
        #expect(dialogue.events == ["answer 1 200 end"])
    }

    @Test func interimAnswers_arePassedOver() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(isEnd: true)
        dialogue.receive([.headers(1, [(":status", "103")]), .headers(1, Sample.answer)])
        #expect(dialogue.events == ["answer 1 200"])
    }

    @Test(
        arguments: [
            ("no status", ClientBytes.headers(1, [("a", "b")])),
            ("two statuses", .headers(1, [(":status", "200"), (":status", "200")])),
            ("a status that is none", .headers(1, [(":status", "2x0")])),
            ("a status of two digits", .headers(1, [(":status", "20")])),
            ("a field of requests", .headers(1, [(":status", "200"), (":path", "/")])),
            (
                "a field of a connection",
                .headers(1, [(":status", "200"), ("connection", "close")])
            ),
            ("content before the head", .data(1)),
            ("an interim answer that ends", .headers(1, [(":status", "100")], end: true)),
            (
                "an end before the content",
                .headers(1, Sample.answer + [("content-length", "3")], end: true)
            ),
            (
                "more content than was said",
                [.headers(1, Sample.answer + [("content-length", "2")]), .data(1)]
            ),
            ("two heads", [.headers(1, Sample.answer), .headers(1, Sample.answer)]),
            (
                "trailers with a status",
                [.headers(1, Sample.answer), .headers(1, Sample.answer, end: true)]
            ),
            ("a window of nothing", .window(1, 0)),
        ] as [(String, ClientBytes)])
    func malformedAnswers_endTheirStreamAlone(what: String, bytes: ClientBytes) {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(2)
        dialogue.forget()
        dialogue.receive(bytes)
        #expect(dialogue.events.last == "reset 1", "\(what)")
        #expect(dialogue.sent.contains { $0.hasPrefix("RST_STREAM 1 ") })
        #expect(!dialogue.connection.hasFailed)
        #expect(dialogue.connection.streams.streams == [3])
    }

    @Test(
        arguments: [
            ("settings that do not come first", ClientBytes.ping()),
            ("a push", [.settings(), .frame(5, 4, stream: 1, [0, 0, 0, 2])]),
            ("an answer that nobody asked for", [.settings(), .headers(9, Sample.answer)]),
            ("data that nobody asked for", [.settings(), .data(9)]),
            ("an even stream", [.settings(), .headers(2, Sample.answer)]),
            ("a reset of no stream", [.settings(), .reset(2)]),
            ("goAway on a stream", [.settings(), .goAway(stream: 1)]),
            ("a short GOAWAY", [.settings(), .frame(7, 0, stream: 0, [1, 2])]),
            ("a block that is none", [.settings(), .block(1, [0x80])]),
            ("a frame too large", [.settings(), .frame(0, 0, stream: 1, length: 1 << 20)]),
        ] as [(String, ClientBytes)])
    func servers_thatBreakTheProtocol_loseTheConnection(what: String, bytes: ClientBytes) {
        var dialogue = HTTP2Dialogue(role: .client, limits: .upstream)
        dialogue.open()
        dialogue.receive(bytes)
        #expect(dialogue.events.last?.hasPrefix("failed") == true, "\(what)")
        #expect(dialogue.sent.last?.hasPrefix("GOAWAY 0 ") == true, "\(what)")
        #expect(!dialogue.connection.canOpen)
    }

    @Test func answersToHeadRequests_haveALengthAndNoContent() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.open(2, isHead: true, isEnd: true)
        let head = Sample.answer + [("content-length", "3")]
        dialogue.receive(.headers(1, head, end: true))
        #expect(dialogue.events == ["answer 1 200 end"])
        dialogue.receive([.headers(3, head), .data(3)])
        #expect(dialogue.events.last == "reset 3")
    }

    @Test func theWindowOfAnAnswerThatIsNotTaken_staysClosed() {
        var limits = HTTP2Limits.upstream
        limits.streamWindow = 100
        var dialogue = HTTP2Dialogue.client(limits: limits)
        dialogue.open(isEnd: true)
        dialogue.act { $0.holdWindow(of: 1) }
        dialogue.forget()
        dialogue.receive([
            .headers(1, Sample.answer), .data(1, [UInt8](repeating: 0, count: 60)),
        ])
        #expect(dialogue.sent.isEmpty)
        dialogue.act { $0.releaseWindow(of: 1, count: 60) }
        #expect(dialogue.sent == ["WINDOW_UPDATE 1 60"])
        dialogue.receive(.data(1, [UInt8](repeating: 0, count: 60)))
        #expect(dialogue.sent == ["WINDOW_UPDATE 1 60", "WINDOW_UPDATE 1 60"])
    }

    @Test func numbersOfStreams_comeToAnEnd() {
        var dialogue = HTTP2Dialogue.client()
        dialogue.connection.lastStream = UInt32(HTTP2Protocol.windowMax) - 2
        dialogue.open(2)
        #expect(dialogue.connection.streams.streams == [UInt32(HTTP2Protocol.windowMax)])
        #expect(!dialogue.connection.hasStreamsLeft)
    }
}
