import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/2 connections: windows, order and the end")
struct HTTP2ConnectionTests {
    private func limits(_ change: (inout HTTP2Limits) -> Void) -> HTTP2Limits {
        var limits = HTTP2Limits()
        change(&limits)
        return limits
    }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

    // MARK: The client's windows

    @Test func window_ofAStream_isOpenedInLargeStepsAsDataCome() {
        var dialogue = HTTP2Dialogue.begun(limits: limits { $0.streamWindow = 1000 })
        dialogue.receive([.headers(1), .data(1, bytes(499))])
        #expect(dialogue.sent.isEmpty)
        dialogue.receive(.data(1, bytes(1)))
        #expect(dialogue.sent == ["WINDOW_UPDATE 1 500"])
        dialogue.receive(.data(1, bytes(1000)))
        #expect(dialogue.sent == ["WINDOW_UPDATE 1 500", "WINDOW_UPDATE 1 1000"])
    }

    @Test func window_ofAStreamThatIsHeld_opensWhenItsReaderSaysSo() {
        var dialogue = HTTP2Dialogue.begun(limits: limits { $0.streamWindow = 1000 })
        dialogue.receive(.headers(1))
        dialogue.act { $0.holdWindow(of: 1) }
        dialogue.receive(.data(1, bytes(1000)))
        #expect(dialogue.sent.isEmpty)
        dialogue.act { $0.consume(600, on: 1) }
        #expect(dialogue.sent == ["WINDOW_UPDATE 1 600"])
        dialogue.receive(.data(1, bytes(601)))
        #expect(dialogue.sent.last == "RST_STREAM 1 flowControlError")
        #expect(dialogue.events.last == "reset 1")
    }

    @Test func window_ofTheConnection_isOpenedThoughStreamsAreHeld() {
        var dialogue = HTTP2Dialogue.begun(limits: limits { $0.connectionWindow = 100_000 })
        dialogue.receive([.headers(1), .headers(3)])
        dialogue.act { $0.holdWindow(of: 1) }
        dialogue.receive(.data(1, bytes(60_000)))
        #expect(dialogue.sent == ["WINDOW_UPDATE 0 60000"])
        dialogue.receive([.data(3, bytes(49_000)), .data(3, bytes(51_000))])
        #expect(dialogue.sent.last == "WINDOW_UPDATE 0 100000")
    }

    @Test func data_beyondTheConnectionsWindow_endsTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: limits { $0.connectionWindow = 65_535 })
        // The head of the frame is enough: what it announces is already too much.
        dialogue.receive([.headers(1), .frame(0, stream: 1, [], length: 65_536)])
        #expect(dialogue.sent == ["GOAWAY 1 flowControlError"])
    }

    @Test func data_ofResetStreams_countForTheConnection() {
        var dialogue = HTTP2Dialogue.begun(limits: limits { $0.connectionWindow = 100_000 })
        dialogue.receive(.headers(1))
        dialogue.act { $0.reset(1, .cancel) }
        dialogue.forget()
        dialogue.receive(.data(1, bytes(50_000)))
        #expect(dialogue.sent == ["WINDOW_UPDATE 0 50000"])
        #expect(dialogue.events.isEmpty)
    }

    // MARK: Our windows

    @Test func answers_waitForTheirWindow_andTellWhatHasLeft() {
        var dialogue = HTTP2Dialogue.begun(settings: [(4, 10)])
        dialogue.answers = false
        dialogue.receive(.get(1))
        dialogue.act {
            $0.sendHead(.grpcHead, on: 1)
            #expect($0.sendData(bytes(20), isMessage: true, on: 1) == 10)
            $0.sendTrailers(.grpcSuccess, on: 1)
        }
        #expect(dialogue.sent.last == "DATA 1 10")
        dialogue.receive(.window(1, 10))
        #expect(dialogue.sent.last == "DATA 1 10")
        #expect(dialogue.events.last == "sent 1 10")
        dialogue.receive(.window(1, 100))
        #expect(dialogue.sent.suffix(2) == ["DATA 1 5", "HEADERS 1 end grpc-status=0"])
        #expect(dialogue.connection.streams.isEmpty)
    }

    @Test func answers_thatWaitForTheConnection_takeTurns() {
        var dialogue = HTTP2Dialogue.begun(settings: [(4, 1_000_000)])
        dialogue.answers = false
        dialogue.receive([.get(1), .get(3)])
        dialogue.act {
            for stream: UInt32 in [1, 3] {
                $0.sendHead(.grpcHead, on: stream)
                $0.sendData(bytes(65_535), on: stream, isEnd: true)
            }
        }
        // The window of all is used up by the first.
        #expect(dialogue.sent.filter { $0.hasPrefix("DATA 1") }.count == 4)
        #expect(!dialogue.sent.contains { $0.hasPrefix("DATA 3") })
        dialogue.receive([.get(5), .get(7)])
        dialogue.act {
            for stream: UInt32 in [5, 7] {
                $0.sendHead(.grpcHead, on: stream)
                $0.sendData(bytes(40_000), on: stream, isEnd: true)
            }
        }
        dialogue.forget()
        dialogue.receive(.window(0, 49_152))
        #expect(dialogue.sent == ["DATA 3 16384", "DATA 5 16384", "DATA 7 16384"])
    }

    @Test func socketThatIsFull_holdsAllOfAStreamBack_butNotAnswersToControlFrames() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.act { $0.setWritable(false) }
        dialogue.receive([.get(1), .headers(3), .data(3, end: true), .ping(1)])
        #expect(dialogue.sent == ["PING ack 1"])
        dialogue.act { $0.setWritable(true) }
        #expect(
            dialogue.sent.dropFirst() == [
                "HEADERS 1 end :status=200", "HEADERS 3 :status=200", "DATA 3 3 end",
            ])
        #expect(dialogue.connection.streams.isEmpty)
    }

    @Test func output_isBounded_untilItIsTaken() {
        var dialogue = HTTP2Dialogue.begun(
            limits: limits { $0.outputBytes = 1000 }, settings: [(4, 1_000_000)])
        dialogue.answers = false
        dialogue.receive([.get(1), .window(0, 1_000_000)])
        dialogue.connection.sendHead(.grpcHead, on: 1)
        dialogue.connection.sendData(bytes(100_000), on: 1, isEnd: true)
        var turns = 0
        while let output = dialogue.connection.takeOutput() {
            #expect(output.readableBytes <= 1000 + 16_384 + 9)
            turns += 1
            if dialogue.connection.hasMoreOutput { dialogue.connection.setWritable(true) }
        }
        #expect(turns == 7)
        #expect(dialogue.connection.streams.isEmpty)
    }

    // MARK: Answers

    @Test func answer_beforeTheRequestEnds_asksForNoMore() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.receive(.headers(1))
        dialogue.act { $0.sendHead(FieldBlock([(":status", "413")]), on: 1, isEnd: true) }
        #expect(dialogue.sent == ["HEADERS 1 end :status=413", "RST_STREAM 1 noError"])
        dialogue.forget()
        dialogue.receive([.data(1), .data(1, end: true), .get(3)])
        #expect(dialogue.sent == ["HEADERS 3 end :status=200"])
    }

    @Test func answers_toStreamsThatAreGone_areDropped() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.receive([.headers(1), .reset(1)])
        dialogue.act {
            $0.sendHead(.grpcHead, on: 1)
            $0.sendData([1], on: 1)
            $0.sendTrailers(.grpcSuccess, on: 1)
            $0.reset(1, .cancel)
        }
        #expect(dialogue.sent.isEmpty)
    }

    @Test func answers_outOfOrder_writeNothingWrong() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.answers = false
        dialogue.receive(.get(1))
        dialogue.act {
            $0.sendData([1], on: 1)
            $0.sendTrailers(.grpcSuccess, on: 1)
            $0.sendHead(.grpcHead, on: 1)
            $0.sendHead(.grpcHead, on: 1)
            $0.sendTrailers(.grpcSuccess, on: 1)
            $0.sendData([1], on: 1)
        }
        #expect(dialogue.sent.count == 2)
        #expect(dialogue.sent.last == "HEADERS 1 end grpc-status=0")
    }

    @Test func head_largerThanAFrame_isContinued() {
        var dialogue = HTTP2Dialogue.begun(settings: [(1, 0)])
        dialogue.answers = false
        dialogue.receive(.get(1))
        let value = String(repeating: "v", count: 40_000)
        dialogue.act {
            $0.sendHead(FieldBlock([(":status", "200"), ("a", value)]), on: 1, isEnd: true)
        }
        #expect(dialogue.sent == ["HEADERS 1 end :status=200 a=\(value)"])
        #expect(dialogue.sentBytes.count > 40_000)
    }

    @Test func table_thatTheClientTakesAway_isGivenUpInTheNextBlockOnly() {
        var dialogue = HTTP2Dialogue.begun(settings: [(1, 0)])
        let start = dialogue.sentBytes.count
        dialogue.receive([.get(1), .get(3)])
        let sent = dialogue.sentBytes[start...]
        #expect(Array(sent.prefix(11)) == [0, 0, 2, 1, 5, 0, 0, 0, 1, 0x20, 0x88])
        #expect(Array(sent.suffix(10)) == [0, 0, 1, 1, 5, 0, 0, 0, 3, 0x88])
    }

    @Test func aQuietEndThatHadToWait_isSentOnce() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.answers = false
        dialogue.receive(.headers(1))
        dialogue.act {
            $0.endQuietly(1)
            $0.setWritable(false)
            $0.sendHead(FieldBlock([(":status", "400")]), on: 1, isEnd: true)
        }
        #expect(dialogue.sent.isEmpty)
        dialogue.act { $0.setWritable(true) }
        #expect(dialogue.sent == ["HEADERS 1 end :status=400"])
    }

    @Test func restOfARequestThatIsEndedQuietly_isThrownAway() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.answers = false
        dialogue.receive([.headers(1), .data(1)])
        dialogue.act {
            $0.endQuietly(1)
            $0.sendHead(FieldBlock([(":status", "400")]), on: 1, isEnd: true)
        }
        #expect(dialogue.sent == ["HEADERS 1 end :status=400"])
        dialogue.receive(.data(1))
        #expect(dialogue.connection.streams.contains(1))
        dialogue.receive(.data(1, end: true))
        #expect(dialogue.connection.streams.isEmpty)
        #expect(dialogue.sent == ["HEADERS 1 end :status=400"])
    }

    // MARK: The graceful end

    @Test func drain_servesWhatTheClientSendsUntilItKnows() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.receive(.headers(1))
        dialogue.act { $0.startDraining() }
        #expect(
            dialogue.sent == ["GOAWAY 2147483647 noError", "PING \(PingData.drain)"])
        dialogue.forget()
        // Sent before the client has read that.
        dialogue.receive([.get(3), .headers(5)])
        #expect(dialogue.sent == ["HEADERS 3 end :status=200"])
        dialogue.receive(.ping(PingData.drain, ack: true))
        #expect(dialogue.sent.last == "GOAWAY 5 noError")
        #expect(!dialogue.connection.isDrained)
        dialogue.receive(.get(7))
        #expect(dialogue.sent.last == "RST_STREAM 7 refusedStream")
        dialogue.receive([.data(5, end: true), .data(1, end: true)])
        #expect(dialogue.sent.last == "DATA 1 3 end")
        #expect(dialogue.connection.isDrained)
    }

    @Test func drain_ofAnIdleConnection_isDoneWhenTheClientKnows() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.act { $0.startDraining() }
        #expect(!dialogue.connection.isDrained)
        dialogue.receive([.ping(5, ack: true)])
        #expect(!dialogue.connection.isDrained)
        dialogue.receive(.ping(PingData.drain, ack: true))
        #expect(dialogue.sent.last == "GOAWAY 0 noError")
        #expect(dialogue.connection.isDrained)
        dialogue.forget()
        dialogue.act { $0.startDraining() }
        #expect(dialogue.sent.isEmpty)
    }

    @Test func ping_isAnsweredByPong() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.act { $0.ping() }
        dialogue.receive(.ping(PingData.keepalive, ack: true))
        #expect(dialogue.events == ["pong"])
    }
}
