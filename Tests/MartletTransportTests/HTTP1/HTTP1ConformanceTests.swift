import Testing

@testable import MartletTransport

@Suite("What RFC 9112 and RFC 9110 decide")
struct HTTP1ConformanceTests {
    @Test(arguments: HTTP1ConformanceTables.all)
    func situation_endsAsTheProtocolDecides(situation: HTTP1ConformanceCase) {
        #expect(situation.failure() == nil)
    }

    @Test func situation_cutAnywhere_endsTheSame() {
        for situation in HTTP1ConformanceTables.all {
            for split in 0..<situation.bytes.count {
                let failure = situation.failure(split: split)
                #expect(failure == nil, "\(situation.testDescription), cut at \(split)")
            }
        }
    }

    @Test func situation_inSingleBytes_endsTheSame() {
        for situation in HTTP1ConformanceTables.all {
            var dialogue = HTTP1Dialogue()
            for byte in situation.bytes { dialogue.receive([byte]) }
            dialogue.receive(HTTP1ConformanceCase.smuggled)
            let whole = HTTP1Dialogue.after(
                situation.bytes + Array(HTTP1ConformanceCase.smuggled.utf8))
            #expect(dialogue.events == whole.events, "\(situation.testDescription)")
            #expect(dialogue.statuses == whole.statuses, "\(situation.testDescription)")
        }
    }

    /// What was learned of one request is not taken for the next.
    @Test func situation_behindAnother_endsTheSame() {
        for first in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
        ] {
            for situation in HTTP1ConformanceTables.all {
                var dialogue = HTTP1Dialogue()
                dialogue.receive(first)
                dialogue.forget()
                dialogue.receive(situation.bytes + Array(HTTP1ConformanceCase.smuggled.utf8))
                let whole = HTTP1Dialogue.after(
                    situation.bytes + Array(HTTP1ConformanceCase.smuggled.utf8))
                #expect(dialogue.events == whole.events, "\(situation.testDescription)")
            }
        }
    }

    @Test func request_thatIsNotComplete_isWaitedFor() {
        for situation in HTTP1ConformanceTables.accepted {
            for count in 1..<situation.bytes.count {
                let dialogue = HTTP1Dialogue.after(Array(situation.bytes.prefix(count)))
                #expect(!dialogue.events.contains { $0.hasPrefix("failed") })
            }
        }
    }
}
