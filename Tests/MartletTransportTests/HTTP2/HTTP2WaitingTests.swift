import NIOCore
import Testing

@testable import MartletTransport

@Suite("HTTP/2 connections: what waits, and who is told when it leaves")
struct HTTP2WaitingTests {
    private func begun(_ change: (inout HTTP2Limits) -> Void = { _ in }) -> HTTP2Dialogue {
        var limits = HTTP2Limits()
        change(&limits)
        var dialogue = HTTP2Dialogue.begun(limits: limits, settings: [(4, 1_000_000)])
        dialogue.answers = false
        return dialogue
    }

    private let ok = FieldBlock([(":status", "200")])

    @Test func headThatWaitedForTheSocket_isToldOf_soThatItsContentFollows() {
        var dialogue = begun()
        dialogue.receive(.get(1))
        dialogue.act {
            $0.setWritable(false)
            $0.sendHead(ok, on: 1)
        }
        #expect(dialogue.sent.isEmpty)
        dialogue.act { $0.setWritable(true) }
        #expect(dialogue.sent == ["HEADERS 1 :status=200"])
        #expect(dialogue.events.last == "sent 1 0")
    }

    @Test func contentOfNoBytes_endsNothing() {
        var dialogue = begun()
        dialogue.receive(.get(1))
        dialogue.act {
            $0.setWritable(false)
            $0.sendHead(ok, on: 1)
            $0.sendData([], on: 1)
        }
        dialogue.act { $0.setWritable(true) }
        dialogue.act { $0.sendData([], on: 1) }
        #expect(dialogue.sent == ["HEADERS 1 :status=200"])
        dialogue.act { $0.sendData([], on: 1, isEnd: true) }
        #expect(dialogue.sent.last == "DATA 1 0 end")
    }

    @Test func headsThatWaitedForTheOutput_needNoWindow() {
        var dialogue = begun { $0.outputBytes = 1000 }
        dialogue.receive([.get(1), .get(3), .get(5)])
        dialogue.act {
            $0.sendHead(ok, on: 1)
            $0.sendData([UInt8](repeating: 7, count: 65_536), on: 1)
        }
        goOn(&dialogue)
        // The connection's window is used up, and a byte of the first stream waits for it.
        dialogue.act {
            $0.sendHead(
                FieldBlock([(":status", "200"), ("a", String(repeating: "b", count: 2000))]),
                on: 3, isEnd: true)
            $0.sendHead(FieldBlock([(":status", "204")]), on: 5, isEnd: true)
        }
        goOn(&dialogue)
        #expect(dialogue.sent.last == "HEADERS 5 end :status=204")
        #expect(!dialogue.connection.hasMoreOutput)
    }

    /// Does what is done whenever output has been written.
    private func goOn(_ dialogue: inout HTTP2Dialogue) {
        for _ in 0..<10 {
            dialogue.act { if $0.hasMoreOutput { $0.setWritable(true) } }
        }
    }
}
