import Testing

@testable import MartletTransport

@Suite("What RFC 9113 and RFC 7541 decide")
struct ConformanceTests {
    @Test(arguments: ConformanceTables.all)
    func situation_endsAsTheProtocolDecides(situation: ConformanceCase) {
        #expect(situation.failure() == nil)
    }

    @Test(arguments: [1, 2, 7])
    func situation_inPieces_endsTheSame(size: Int) {
        for situation in ConformanceTables.all {
            #expect(situation.failure(split: size) == nil, "\(situation.testDescription)")
        }
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"])
    func preface_thatIsWrong_endsTheConnection(text: String) {
        var dialogue = HTTP2Dialogue()
        dialogue.forget()
        dialogue.receive(.raw(Array(text.utf8)))
        #expect(dialogue.sent == (text.isEmpty ? [] : ["GOAWAY 0 protocolError"]))
    }

    @Test func preface_withoutSettingsBehindIt_endsTheConnection() {
        for first in [ClientBytes.ping(), .get(1), .settingsAck, .window(0, 1)] {
            var dialogue = HTTP2Dialogue()
            dialogue.forget()
            dialogue.receive([.preface, first])
            #expect(dialogue.sent == ["GOAWAY 0 protocolError"])
        }
    }

    @Test func greeting_isSettingsAndAWindowForAll_thenTheAcknowledgement() {
        var dialogue = HTTP2Dialogue()
        #expect(dialogue.sent == ["SETTINGS", "WINDOW_UPDATE 0 16711681"])
        dialogue.forget()
        dialogue.receive([.preface, .settings()])
        #expect(dialogue.sent == ["SETTINGS ack"])
    }

    @Test func streams_beyondTheLimit_areRefusedAndTheOthersServed() {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 2
        var dialogue = HTTP2Dialogue.begun(limits: limits)
        dialogue.receive([.headers(1), .headers(3), .headers(5), .data(1, [1], end: true)])
        #expect(
            dialogue.sent == [
                "RST_STREAM 5 refusedStream", "HEADERS 1 :status=200", "DATA 1 1 end",
            ])
    }

    @Test func error_ofTheConnection_namesTheLastStream() {
        var dialogue = HTTP2Dialogue.begun()
        dialogue.receive([.get(1), .get(7), .data(0)])
        #expect(dialogue.sent.last == "GOAWAY 7 protocolError")
        dialogue.forget()
        dialogue.receive([.get(9)])
        #expect(dialogue.sent.isEmpty && dialogue.events.isEmpty)
    }
}
